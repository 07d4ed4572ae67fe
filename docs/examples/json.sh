#!/usr/bin/env bash
# An answer that keeps to a JSON Schema; only models that can do so are asked.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… json.sh "Ada Lovelace, born in 1815"
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
text=${1:-Ada Lovelace, born in 1815}

body=$(python3 -c '
import json, sys
schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
    "additionalProperties": False,
}
print(json.dumps({
    "model": "auto",
    "messages": [{"role": "user", "content": "Who is it, and when was she born? " + sys.argv[1]}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "person", "strict": True, "schema": schema},
    },
}))
' "$text")

answer=$(curl --silent --show-error --fail-with-body "$url/v1/chat/completions" \
    --header "authorization: Bearer $key" --data "$body") || { echo "$answer" >&2 && exit 1; }

python3 -c '
import json, sys
person = json.loads(json.loads(sys.argv[1])["choices"][0]["message"]["content"])
print("name", person["name"])
print("born", person["born"])
' "$answer"

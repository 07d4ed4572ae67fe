#!/usr/bin/env bash
# What is remembered of a conversation: add to it, read it, forget it.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… context.sh sam
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
user=${1:-sam}

context() {
    curl --silent --show-error --fail-with-body "$url/context/$user" \
        --header "authorization: Bearer $key" "$@"
}

added=$(context --data '{"messages": [{"role": "user", "content": "My name is Sam."}]}') ||
    { echo "$added" >&2 && exit 1; }
read_back=$(context) || { echo "$read_back" >&2 && exit 1; }
python3 -c '
import json, sys
messages = json.loads(sys.argv[1])["messages"]
for message in messages:
    print(message["created"], message["role"] + ":", message["content"])
messages[-1]["content"] == "My name is Sam." or sys.exit("it was not kept")
' "$read_back"

forgotten=$(context --request DELETE) || { echo "$forgotten" >&2 && exit 1; }
python3 -c '
import json, sys
print(json.loads(sys.argv[1])["removed"], "messages forgotten")
' "$forgotten"

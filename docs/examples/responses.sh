#!/usr/bin/env bash
# A response, and a second one that continues it: the gateway remembers what was said.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… responses.sh "Why is the sky blue?"
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Why is the sky blue?}

respond() {
    curl --silent --show-error --fail-with-body "$url/v1/responses" \
        --header "authorization: Bearer $key" --data "$1"
}

body=$(python3 -c '
import json, sys
print(json.dumps({"model": "auto", "input": sys.argv[1]}))
' "$question")
first=$(respond "$body") || { echo "$first" >&2 && exit 1; }

body=$(python3 -c '
import json, sys
before = json.loads(sys.argv[1])["id"]
print(json.dumps({"model": "auto", "input": "And at night?", "previous_response_id": before}))
' "$first")
second=$(respond "$body") || { echo "$second" >&2 && exit 1; }

python3 -c '
import json, sys
for answer in map(json.loads, sys.argv[1:]):
    for item in answer["output"]:
        if item["type"] == "message":
            print("".join(part["text"] for part in item["content"]))
    cost = answer["gateway"]["cost_usd"]
    print(answer["id"], answer["model"], "unknown" if cost is None else "$%.6f" % cost, end="\n\n")
' "$first" "$second"

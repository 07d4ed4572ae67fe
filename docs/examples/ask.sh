#!/usr/bin/env bash
# The simple door: one message, with a document to read first, by somebody who is remembered.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… ask.sh "Is Bitcoin up or down today?"
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Is Bitcoin up or down today?}

body=$(python3 -c '
import json, sys
print(json.dumps({"message": sys.argv[1], "identity": "alex", "docs": ["ticker:BTCUSDT"]}))
' "$question")

answer=$(curl --silent --show-error --fail-with-body "$url/ask" \
    --header "authorization: Bearer $key" --data "$body") || { echo "$answer" >&2 && exit 1; }

python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
print(answer["answer"] or sys.exit("it said nothing"))
print()
for document in answer["docs"]:
    print("read  ", document["title"], "\n      ", document["url"])
print("model ", answer["model"], "(" + answer["tier"] + ")")
print("cost  ", "unknown" if answer["cost_usd"] is None else "$%.6f" % answer["cost_usd"])
' "$answer"

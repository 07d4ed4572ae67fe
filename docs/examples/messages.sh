#!/usr/bin/env bash
# A message as Anthropic's clients send it, with tools of the gateway as the server of a connector.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… messages.sh "Please search for bitcoin."
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Please search for the price of bitcoin.}

body=$(python3 -c '
import json, sys
print(json.dumps({
    "model": "auto",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": sys.argv[1]}],
    "mcp_servers": [{
        "type": "url",
        "name": "documents",
        "url": "gateway",
        "tool_configuration": {"allowed_tools": ["search", "fetch"]},
    }],
}))
' "$question")

answer=$(curl --silent --show-error --fail-with-body "$url/v1/messages" \
    --header "x-api-key: $key" --header "anthropic-version: 2023-06-01" --data "$body") ||
    { echo "$answer" >&2 && exit 1; }

python3 -c '
import json, sys
message = json.loads(sys.argv[1])
for block in message["content"]:
    if block["type"] == "mcp_tool_use":
        print("calls ", block["name"], "of", block["server_name"], "with", json.dumps(block["input"]))
    elif block["type"] == "text":
        print(block["text"])
cost = message["gateway"]["cost_usd"]
print()
print("model ", message["model"])
print("cost  ", "unknown" if cost is None else "$%.6f" % cost)
' "$answer"

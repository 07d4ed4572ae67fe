#!/usr/bin/env bash
# A model that may call two functions of ours: it asks for them, we answer, it says the rest.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… tools.sh
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it

chat() {
    curl --silent --show-error --fail-with-body "$url/v1/chat/completions" \
        --header "authorization: Bearer $key" --data "$1"
}

first='{
  "model": "auto",
  "messages": [{"role": "user", "content": "Use weather and clock: what is it like in Oslo?"}],
  "tools": [
    {"type": "function", "function": {"name": "weather", "description": "The weather in a city.",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
        "required": ["city"]}}},
    {"type": "function", "function": {"name": "clock", "description": "The time in a city.",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
        "required": ["city"]}}}
  ]
}'
answer=$(chat "$first") || { echo "$answer" >&2 && exit 1; }

# The same messages, the calls, and a result for each of them by its ID.
second=$(python3 -c '
import json, sys
request, answer = map(json.loads, sys.argv[1:])
message = answer["choices"][0]["message"]
results = {"weather": "8 degrees, rain", "clock": "14:05"}
request["messages"].append(message)
for call in message["tool_calls"]:
    function = call["function"]
    print(function["name"], json.loads(function["arguments"]), file=sys.stderr)
    said = results[function["name"]]
    request["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": said})
print(json.dumps(request))
' "$first" "$answer")

answer=$(chat "$second") || { echo "$answer" >&2 && exit 1; }
python3 -c '
import json, sys
message = json.loads(sys.argv[1])["choices"][0]["message"]
print(message["content"] or sys.exit("it said nothing"))
' "$answer"

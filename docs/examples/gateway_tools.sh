#!/usr/bin/env bash
# A model that uses the gateway's own tools: each call and its result are shown as they happen.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… gateway_tools.sh "Please search for bitcoin."
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Please search for the price of bitcoin.}

body=$(python3 -c '
import json, sys
print(json.dumps({
    "model": "auto",
    "messages": [{"role": "user", "content": sys.argv[1]}],
    "gateway_tools": ["search", "fetch"],
    "stream": True,
    "stream_options": {"include_usage": True},
}))
' "$question")

curl --silent --show-error --fail-with-body --no-buffer "$url/v1/chat/completions" \
    --header "authorization: Bearer $key" --header "x-gateway-events: tools" \
    --data "$body" | python3 -c '
import json, sys
kind = ""
for line in sys.stdin:
    if line.startswith("event: "):
        kind = line.removeprefix("event: ").strip()  # only these events have a name
        continue
    if not line.startswith("data: "):
        if line.strip() and not line.startswith(":"):
            sys.exit(line.strip())  # no stream, but an error; a colon only keeps the stream alive
        kind = ""
        continue
    if line.strip() == "data: [DONE]":
        break
    told = json.loads(line.removeprefix("data: "))
    if kind == "function_call":
        print("calls ", told["name"], "of", told["server"], "with", told["arguments"])
        continue
    if kind == "function_result":
        print("told  ", (told["error"] or told["content"])[:100])
        continue
    if "error" in told:
        sys.exit("\nit broke off: " + told["error"]["message"])
    for choice in told["choices"]:
        print(choice["delta"].get("content") or "", end="", flush=True)
    for number, one in enumerate(told.get("gateway", {}).get("rounds", ()), start=1):
        cost = "unknown" if one["cost_usd"] is None else "$%.6f" % one["cost_usd"]
        if number == 1:
            print("\n")
        print("round", number, "by", one["model"], "for", cost)
else:
    sys.exit("the stream ended without [DONE]")
'

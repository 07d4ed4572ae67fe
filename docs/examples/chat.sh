#!/usr/bin/env bash
# A chat: the gateway chooses the model, and says which one it was, why so and what it cost.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… chat.sh "Why is the sky blue?"
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Why is the sky blue?}

body=$(python3 -c '
import json, sys
print(json.dumps({"model": "auto", "messages": [{"role": "user", "content": sys.argv[1]}]}))
' "$question")

answer=$(curl --silent --show-error --fail-with-body "$url/v1/chat/completions" \
    --header "authorization: Bearer $key" --data "$body") || { echo "$answer" >&2 && exit 1; }

python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
print(answer["choices"][0]["message"]["content"])
usage = answer["usage"]
print()
print("model ", answer["model"], "(" + answer["x_nanogpt_tier"] + ")")
print("tokens", usage["prompt_tokens"], "in,", usage["completion_tokens"], "out")
print("cost  ", "unknown" if usage["cost"] is None else "$%.6f" % usage["cost"])
print("why   ", sys.argv[2] + "/data/route:" + answer["id"].removeprefix("chatcmpl-"))
' "$answer" "$url"

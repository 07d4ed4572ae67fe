#!/usr/bin/env bash
# A chat whose answer is shown word by word; ends with 1 if it breaks off.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… stream.sh "Tell me a story."
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-Tell me a story of three sentences.}

body=$(python3 -c '
import json, sys
print(json.dumps({
    "model": "auto:creative",
    "messages": [{"role": "user", "content": sys.argv[1]}],
    "stream": True,
    "stream_options": {"include_usage": True},
}))
' "$question")

curl --silent --show-error --fail-with-body --no-buffer "$url/v1/chat/completions" \
    --header "authorization: Bearer $key" --data "$body" | python3 -c '
import json, sys
for line in sys.stdin:
    if not line.startswith("data: "):
        if line.strip() and not line.startswith(":"):
            sys.exit(line.strip())  # no stream, but an error; a colon only keeps the stream alive
        continue
    if line.strip() == "data: [DONE]":
        break
    chunk = json.loads(line.removeprefix("data: "))
    if "error" in chunk:
        sys.exit("\nit broke off: " + chunk["error"]["message"])
    for choice in chunk["choices"]:
        print(choice["delta"].get("content") or "", end="", flush=True)
    if usage := chunk.get("usage"):
        cost = "unknown" if usage["cost"] is None else "$%.6f" % usage["cost"]
        print("\n\nmodel ", chunk["model"], "\ntokens", usage["completion_tokens"], "\ncost  ", cost)
else:
    sys.exit("the stream ended without [DONE]")
'

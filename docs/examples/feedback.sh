#!/usr/bin/env bash
# Ask, and say whether the answer was good; the router learns from it.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… feedback.sh "What is the capital of Norway?" up
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
question=${1:-What is the capital of Norway?}
rating=${2:-up}

ask() {
    curl --silent --show-error --fail-with-body "$url$1" \
        --header "authorization: Bearer $key" "${@:2}"
}

body=$(python3 -c '
import json, sys
print(json.dumps({"model": "auto", "messages": [{"role": "user", "content": sys.argv[1]}]}))
' "$question")

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
answer=$(ask /v1/chat/completions --data "$body" --dump-header "$headers") \
    || { echo "$answer" >&2 && exit 1; }
route=$(tr -d '\r' <"$headers" | awk 'tolower($1) == "x-gateway-route-id:" { print $2 }')
[[ -n $route ]] || { echo "the answer names no route: $answer" >&2 && exit 1; }

told=$(ask /v1/feedback --data "{\"route_id\": \"$route\", \"rating\": \"$rating\"}") \
    || { echo "$told" >&2 && exit 1; }

python3 -c '
import json, sys
answer, told = map(json.loads, sys.argv[1:])
print(answer["choices"][0]["message"]["content"])
print()
print("%s at %s: thumb %s" % (told["model"], told["task"], told["rating"]))
' "$answer" "$told"

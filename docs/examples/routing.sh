#!/usr/bin/env bash
# Where a task would go and why, what it would cost on each model, and what is free.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… routing.sh "Write a parser for dates" 2000
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
task=${1:-Write a Python function that merges overlapping intervals, with tests}
tokens=${2:-2000}

ask() {
    curl --silent --show-error --fail-with-body "$url$1" \
        --header "authorization: Bearer $key" "${@:2}"
}

body=$(python3 -c '
import json, sys
print(json.dumps({"task": sys.argv[1], "context_length": int(sys.argv[2])}))
' "$task" "$tokens")

route=$(ask /v1/routing/route --data "$body") || { echo "$route" >&2 && exit 1; }
costs=$(ask "/v1/routing/cost-estimate?context_length=$tokens") || { echo "$costs" >&2 && exit 1; }
free=$(ask /v1/routing/free-models) || { echo "$free" >&2 && exit 1; }

python3 -c '
import json, sys
route, costs, free = map(json.loads, sys.argv[1:])
print(route["reasoning"])
print("believed ", route["believed"])
print("decided by", ", ".join(route["decided_by"]))
for one in route["alternatives"]:
    print("else     ", one["model"], "-", one["reason"])
print()
for one in costs["estimates"]:
    cost = one["total_usd"]
    print("%-32s %s" % (one["model"], "unknown" if cost is None else "$%.6f" % cost))
print("%d models are free" % free["total"])
' "$route" "$costs" "$free"

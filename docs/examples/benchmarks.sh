#!/usr/bin/env bash
# Ask the free models a question of your own, check their answers, and show who did best.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… benchmarks.sh "17 * 23? Only the number." 391
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it
task=${1:-What is 17 times 23? Only the number.}
expected=${2:-391}

body=$(python3 -c '
import json, sys
task, expected = sys.argv[1:]
case = {"task_id": "mine", "task": task, "check": expected}
print(json.dumps({"name": "from a script", "cases": [case], "runs": 2}))
' "$task" "$expected")

report=$(curl --silent --show-error --fail-with-body "$url/v1/benchmarks" \
    --header "authorization: Bearer $key" --data "$body") || { echo "$report" >&2 && exit 1; }

python3 -c '
import json, sys
report = json.loads(sys.argv[1])
for one in report["figures"]:
    quality, time = one["quality"], one["total_ms"]
    shown = "not judged" if quality is None else "%.2f (%.2f to %.2f)" % (
        quality["mean"], quality["low"], quality["high"])
    print("%-32s quality %s, %s ms" % (one["model"], shown, time and time["median"]))
print("benchmark %s is %s: %d of %d answers"
    % (report["id"], report["status"], report["done"], report["calls"]))
' "$report"

#!/usr/bin/env bash
# What was used by day and model since the first of the month, and what each limit has left.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… usage.sh
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it

ask() {
    curl --silent --show-error --fail-with-body "$url$1" --header "authorization: Bearer $key"
}

used=$(ask '/v1/usage?group_by=day,model') || { echo "$used" >&2 && exit 1; }
limits=$(ask '/v1/limits') || { echo "$limits" >&2 && exit 1; }

python3 -c '
import json, sys
used, limits = map(json.loads, sys.argv[1:])
for line in used["lines"]:
    cost = line["charged_usd"]
    shown = "unknown" if cost is None else "$%.6f" % cost
    tokens = line["input_tokens"] + line["output_tokens"]
    print("%s  %-32s %5d calls %9d tokens  %s"
        % (line["day"], line["model"], line["calls"], tokens, shown))
print("%d calls since %s" % (used["total"]["calls"], used["from"]))
for limit in limits["data"]:
    print("%s: %d of %d %s left until %s"
        % (limit["name"], limit["remaining"], limit["limit"], limit["unit"], limit["resets_at"]))
' "$used" "$limits"

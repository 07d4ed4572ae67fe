#!/usr/bin/env bash
# The models that this key may use: tier, context, and US dollars for a million tokens.
#
#   GATEWAY_URL=http://127.0.0.1:3001 GATEWAY_KEY=gw_… models.sh
set -euo pipefail

url=${GATEWAY_URL:-http://127.0.0.1:3001}
key=${GATEWAY_KEY:-none} # a gateway without keys does not look at it

answer=$(curl --silent --show-error --fail-with-body "$url/v1/models" \
    --header "authorization: Bearer $key") || { echo "$answer" >&2 && exit 1; }

python3 -c '
import json, sys
models = [model for model in json.loads(sys.argv[1])["data"] if model["id"] != "auto"]
if not models:
    sys.exit("no provider is configured: set NANOGPT_API_KEY, or the key of another one")
for model in models:
    price = model["pricing"] or {"prompt": None, "completion": None}
    shown = ["?" if one is None else "%g" % one for one in (price["prompt"], price["completion"])]
    context = model["context_length"] or "?"
    print("%-40s %-5s %9s  in %s, out %s" % (model["id"], model["tier"], context, *shown))
' "$answer"

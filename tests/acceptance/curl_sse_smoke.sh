#!/usr/bin/env bash
# Does a gateway answer as a connector must? Asks it with nothing but curl, first over the legacy
# SSE transport, then over Streamable HTTP: connect, initialize, list, search, fetch.
#
#   curl_sse_smoke.sh BASE_URL [CA_FILE]
#   curl_sse_smoke.sh https://gateway.example.com
#
# Prints a line per step; ends with 1 at the first that failed. No step waits over 10 s.
set -euo pipefail

if (($# < 1 || $# > 2)); then
    echo "usage: $0 BASE_URL [CA_FILE]" >&2
    exit 2
fi
base=${1%/}
origin=$(sed -E 's#^(https?://[^/]+).*#\1#' <<<"$base")
folder=$(mktemp -d)
stream_pid=
question='price of bitcoin'
version=2025-11-25
mcp_headers=()
curl=(curl --silent --show-error --connect-timeout 5 --max-time 10)
if (($# == 2)); then
    curl+=(--cacert "$2")
fi

finish() {
    if [[ -n $stream_pid ]]; then
        kill "$stream_pid" 2>/dev/null || true
        wait "$stream_pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap finish EXIT

ok() { printf 'ok      %s\n' "$*"; }

failed() {
    # On one line, whatever the answer was.
    printf 'FAILED  %s\n' "$(tr -s '\r\n' '  ' <<<"$*")"
    exit 1
}

# Each step: its name, then a pattern that its answer must match.
expect() {
    local step=$1 pattern=$2 answer=$3
    if grep -Eq '"(isError)": ?true|"error": ?\{' <<<"$answer"; then
        failed "$step: the answer is an error: ${answer:0:300}"
    fi
    grep -Eq "$pattern" <<<"$answer" || failed "$step: no $pattern in: ${answer:0:300}"
    ok "$step"
}

request() { printf '{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' "$@"; }

initialize_params() {
    printf '{"protocolVersion":"%s","capabilities":{},' "$1"
    printf '"clientInfo":{"name":"curl-smoke","version":"1"}}'
}

call_params() { printf '{"name":"%s","arguments":{"%s":"%s"}}' "$@"; }

# The first ID that a search found; an ID inside of the text item has a backslash before its quotes.
first_id() { grep -oE '"id": ?"[^"\\]+"' <<<"$1" | sed -n '1s/^"id": *"\(.*\)"$/\1/p'; }

# --- HTTP+SSE: questions are posted beside the stream, answers come on it ---

open_stream() {
    # Made here, because the program that fills it may start after the first look at it.
    : >"$folder/stream"
    "${curl[@]}" --no-buffer --max-time 50 --header 'Accept: text/event-stream' \
        --write-out '%{stderr}HTTP %{http_code} ' "$base/sse/" >"$folder/stream" 2>"$folder/stream.error" &
    stream_pid=$!
    wait_for_stream 'connect' '^data: */[^ ]*session_id='
    local path
    # A path, as the specification has it: the host is the one that was asked.
    path=$(sed -E 's#^data: *([^[:space:]]*).*#\1#' <<<"$line")
    messages_url=$origin$path
    ok "sse connect"
}

# Prints nothing; leaves the first line of the stream that matches in `line`.
wait_for_stream() {
    local step=$1 pattern=$2 deadline=$((SECONDS + 10))
    # Without its last line: that one may still be growing, and a whole event ends in an empty one.
    until line=$(grep -Em1 "$pattern" <(sed '$d' "$folder/stream")); do
        if ! kill -0 "$stream_pid" 2>/dev/null; then
            failed "sse $step: the stream ended: $(cat "$folder/stream.error" "$folder/stream")"
        fi
        ((SECONDS < deadline)) || failed "sse $step: no $pattern on the stream within 10 s"
        sleep 0.05
    done
}

post_message() {
    local step=$1 body=$2 status
    status=$("${curl[@]}" --output "$folder/posted" --write-out '%{http_code}' \
        --header 'Content-Type: application/json' --data "$body" "$messages_url") ||
        failed "sse $step: the message could not be posted"
    [[ $status == 202 ]] ||
        failed "sse $step: HTTP $status instead of 202: $(head -c 300 "$folder/posted")"
}

# Asks over the legacy stream; the answer is in `line`.
ask_sse() {
    local step=$1 id=$2 method=$3 params=$4
    post_message "$step" "$(request "$id" "$method" "$params")"
    wait_for_stream "$step" "^data: .*\"id\": ?$id[,}]"
}

# --- Streamable HTTP: one POST, one answer, as JSON or as an event ---

post_mcp() {
    local step=$1 body=$2 status
    status=$("${curl[@]}" --output "$folder/answer" --dump-header "$folder/headers" \
        --write-out '%{http_code}' --header 'Content-Type: application/json' \
        --header 'Accept: application/json, text/event-stream' \
        "${mcp_headers[@]+"${mcp_headers[@]}"}" --data "$body" "$base/mcp") ||
        failed "mcp $step: no answer"
    [[ $status == "$3" ]] ||
        failed "mcp $step: HTTP $status instead of $3: $(head -c 300 "$folder/answer")"
}

ask_mcp() {
    local step=$1 id=$2 method=$3 params=$4
    post_mcp "$step" "$(request "$id" "$method" "$params")" 200
    line=$(grep -Em1 "\"id\": ?$id[,}]" "$folder/answer" || cat "$folder/answer")
}

# A server that keeps sessions wants its own ID back; one that does not gives none.
remember_session() {
    local session
    session=$(grep -i '^mcp-session-id:' "$folder/headers" || true)
    session=$(sed -E 's/^[^:]*: *([^[:space:]]*).*/\1/' <<<"$session")
    mcp_headers=(--header "MCP-Protocol-Version: $version")
    if [[ -n $session ]]; then
        mcp_headers+=(--header "Mcp-Session-Id: $session")
    fi
}

initialized='{"jsonrpc":"2.0","method":"notifications/initialized"}'

# The conversation itself, over `sse` or `mcp`.
talk() {
    local door=$1 found
    "ask_$door" tools/list 2 tools/list '{}'
    expect "$door tools/list names search" '"name": ?"search"' "$line"
    expect "$door tools/list names fetch" '"name": ?"fetch"' "$line"
    "ask_$door" search 3 tools/call "$(call_params search query "$question")"
    expect "$door search finds something" '"results": ?\[ ?\{' "$line"
    found=$(first_id "$line")
    "ask_$door" fetch 4 tools/call "$(call_params fetch id "$found")"
    expect "$door fetch $found has its text" '"text": ?"[^"{]' "$line"
    expect "$door fetch $found has a URL to cite" '"url": ?"https?://' "$line"
    [[ $(first_id "$line") == "$found" ]] ||
        failed "$door fetch $found: the answer is another document: ${line:0:300}"
}

open_stream
ask_sse initialize 1 initialize "$(initialize_params 2024-11-05)"
expect "sse initialize" '"protocolVersion": ?"2024-11-05"' "$line"
post_message notifications/initialized "$initialized"
ok "sse notifications/initialized"
talk sse

ask_mcp initialize 1 initialize "$(initialize_params $version)"
expect "mcp initialize" "\"protocolVersion\": ?\"$version\"" "$line"
remember_session
post_mcp notifications/initialized "$initialized" 202
ok "mcp notifications/initialized"
talk mcp

echo "all well: $base"

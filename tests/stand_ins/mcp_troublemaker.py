"""A small MCP server over stdio that starts at once, and does what servers should not do.

python -m tests.stand_ins.mcp_troublemaker crash
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def command(mode: str) -> tuple[str, ...]:
    return (sys.executable, "-S", str(Path(__file__)), mode)


def main(mode: str) -> None:
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    if mode == "crash":
        sys.exit("no license was found")
    if mode == "garbage":
        while True:
            sys.stdout.write("garbage " * 10_000)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer = _answer(mode, message["method"], message.get("params", {}))
            _say({"jsonrpc": "2.0", "id": message["id"], **answer})
        if message.get("method") == "notifications/initialized" and mode == "mortal":
            sys.exit(3)
        if message.get("method") == "notifications/initialized" and mode == "flood":
            while True:
                _say({"jsonrpc": "2.0", "method": "notifications/message", "params": "x" * 9_999})
    if mode == "forever":
        time.sleep(999)


def _answer(mode: str, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        version = "2024-11-05" if mode == "old" else parameters["protocolVersion"]
        about = {"name": "troublemaker", "version": "0"}
        return {"result": {"protocolVersion": version, "capabilities": {}, "serverInfo": about}}
    if method == "tools/list":
        return {"result": _page(parameters.get("cursor"))}
    if method == "tools/call":
        return _called(parameters["name"], parameters["arguments"])
    return {"error": {"code": -32601, "message": f"Method not found: {method}"}}


def _page(cursor: str | None) -> dict[str, Any]:
    """Two pages, and a cursor that never ends."""
    names = ("die", "pid") if cursor is None else ("big", "wrong")
    schema = {"type": "object"}
    return {"tools": [{"name": one, "inputSchema": schema} for one in names], "nextCursor": "2"}


def _called(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    said = str(os.getpid())
    if tool == "die":
        notes = Path(arguments["notes"])
        with notes.open("a") as file:
            file.write(f"{said}\n")
        if len(notes.read_text().splitlines()) <= arguments["times"]:
            os.kill(os.getpid(), signal.SIGKILL)
    if tool == "wrong":
        return {"error": {"code": arguments["code"], "message": "so\x1b[31m wrong"}}
    if tool == "big":
        said = "x" * (5 * 1024 * 1024)
    return {"result": {"content": [{"type": "text", "text": said}]}}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

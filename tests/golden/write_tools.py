"""Writes `tools.json`, the tool definitions that clients may rely on: run it when they change.

uv run python -m tests.golden.write_tools
"""

import httpx

from tests.stand_ins.gateway_process import running_gateway
from tests.stand_ins.tool_definitions import write

if __name__ == "__main__":
    with running_gateway() as gateway:
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        answer = httpx.post(f"{gateway.base_url}/mcp", json=request)
        write(answer.json()["result"]["tools"])

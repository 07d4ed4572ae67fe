"""Runs `everyday.mjs` against a gateway and a stand-in; first `npm install` in this folder.

python -m tests.load.node_sdk.by_hand
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.router_processes import running_router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer, Tool, rate_limited
from tests.stand_ins.llm.server import LlmStandIn

FOLDER = Path(__file__).parent
TOOLS = (Tool("weather", '{"city":"Oslo"}', "call_1"), Tool("weather", '{"city":"Łódź"}', "call_2"))


def reply(body: Mapping[str, Any]) -> Answer:
    replies = {
        "tools": Answer(tools=TOOLS, all_tools_at_index_0=True),
        "schema": Answer('{"name": "Oslo", "people": 709037}'),
        "break": Answer(tokens=9, ends="error", ends_after=3),
        "hold": Answer(tokens=500, hold_after=3),
    }
    last = body["messages"][-1]
    return Answer("It snows.") if last["role"] == "tool" else replies.get(last["content"], Answer())


async def main() -> int:
    offers = [Offer("small"), Offer("busy")]
    with tempfile.TemporaryDirectory() as folder:
        async with LlmStandIn("nanogpt", offers=offers) as stand_in:
            stand_in.always("small", reply)
            stand_in.script("busy", rate_limited("1"), Answer("Now."))
            async with running_router(Path(folder), stand_in) as router:
                node = await asyncio.create_subprocess_exec(
                    "node", "everyday.mjs", f"{router.url}/v1", cwd=FOLDER
                )
                failed = await node.wait()
                await stand_in.rests()
                held = [one for one in stand_in.requests if "hold" in str(one.body)]
                if not all(one.has_left for one in held):
                    return 1
                return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

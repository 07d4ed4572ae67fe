"""A stand-in in a process of its own: `python -m tests.stand_ins.llm openai`, for measurements.

It prints its base URL, answers every chat with as many tokens as it was told (30), and says at
`/stand-in` what it billed. Offered tools, it calls those of the first `--round` first, such as
`get_item={"sku":"LAMP-7"} …`, those of the second when they are answered, and so on. It ends with
its standard input.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.stand_ins.llm.places import BASE_PATHS
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=BASE_PATHS)
    parser.add_argument("--tokens", type=int, default=30)
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    parser.add_argument("--round", action="append", nargs="+", type=_tool, default=[])
    options = parser.parse_args()
    async with LlmStandIn(options.kind) as stand_in:
        answer = Answer(tokens=options.tokens, delay_seconds=options.delay_seconds)
        stand_in.always("*", lambda body: _calls(options.round, body) or answer)
        stand_in.app.routes.append(Route("/stand-in", lambda request: _told(stand_in, request)))
        sys.stdout.write(f"{stand_in.base_url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _tool(text: str) -> Tool:
    name, _, arguments = text.partition("=")
    return Tool(name, arguments or "{}")


def _calls(rounds: Sequence[Sequence[Tool]], body: Mapping[str, Any]) -> Answer | None:
    """Those of the next round; None where there are no more, or no tools."""
    over = sum("tool_calls" in message for message in body.get("messages", ()))
    return Answer(tools=tuple(rounds[over])) if body.get("tools") and over < len(rounds) else None


def _told(stand_in: LlmStandIn, request: Request) -> JSONResponse:
    """What was billed, and the bodies of as many of the last requests as `?bodies=` asks for."""
    count = int(request.query_params.get("bodies", 0))
    last = stand_in.requests[-count:] if count else ()
    return JSONResponse(
        {
            "billed_microusd": stand_in.billed_microusd,
            "requests": len(stand_in.requests),
            "bodies": [one.body for one in last],
        }
    )


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())

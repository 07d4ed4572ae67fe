"""A stand-in in a process of its own: `python -m tests.stand_ins.llm openai`, for measurements.

It prints its base URL, answers every chat with as many tokens as it was told (30), and says at
`/stand-in` what it billed. It ends with its standard input.
"""

import argparse
import asyncio
import sys

from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.stand_ins.llm.places import BASE_PATHS
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=BASE_PATHS)
    parser.add_argument("--tokens", type=int, default=30)
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    options = parser.parse_args()
    async with LlmStandIn(options.kind) as stand_in:
        answer = Answer(tokens=options.tokens, delay_seconds=options.delay_seconds)
        stand_in.always("*", answer)
        stand_in.app.routes.append(Route("/stand-in", lambda _: _bill(stand_in)))
        sys.stdout.write(f"{stand_in.base_url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _bill(stand_in: LlmStandIn) -> JSONResponse:
    return JSONResponse(
        {"billed_microusd": stand_in.billed_microusd, "requests": len(stand_in.requests)}
    )


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())

"""A gateway that is told to end ends at once, whatever its agents do, and the next one goes on."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

from tests.acceptance.agents_office import MODEL, AgentsOffice
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Answer
from tests.stand_ins.llm.server import LlmStandIn

RUNS, TIMES = 3, 3
AT_ONCE_SECONDS = 5


async def test_runs_whose_models_hang_hold_up_no_end_and_go_on_at_the_next_start(
    tmp_path: Path,
) -> None:
    agent = {"name": "patient", "instructions": "Wait.", "model": MODEL, "concurrency": RUNS}
    async with LlmStandIn("openrouter", offers=[Offer("small")]) as model:
        model.always("small", Answer(hold_after=0))
        office = AgentsOffice(tmp_path, model, {"agents": [{**agent, "is_on": True}]})
        async with office:
            for _ in range(RUNS):
                await office.post(
                    "/v1/agents/runs", {"question": "Are you there?", "agents": ["patient"]}
                )
            for number in range(1, TIMES + 1):
                async with asyncio.timeout(30):
                    await model.has_received(RUNS * number)
                seconds, code = await ended(office)
                assert seconds < AT_ONCE_SECONDS, office.router.process.log()
                assert code == 0, office.router.process.log()
                if number == TIMES:
                    model.always("small", Answer("I am here."))
                await office.stop()
                await office.start()
            runs = await office.ended(RUNS)
    assert Counter((one["status"], one["result"]) for one in runs) == {("done", "I am here."): RUNS}
    # What was begun went on: nothing was asked but what had no answer.
    assert {one["rounds"] for one in runs} == {1}
    assert len(model.requests) == RUNS * (TIMES + 1)


async def ended(office: AgentsOffice) -> tuple[float, int]:
    """How long the gateway took to end, and its exit code."""
    process, began = office.router.process, time.monotonic()
    process.signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 60)
    return time.monotonic() - began, code

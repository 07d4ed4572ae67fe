"""What was seen of models decides where requests go: benchmarks, thumbs, and how long ago."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.evidence.observation import Observation
from tests.acceptance.routing_office import (
    Office,
    answering,
    benchmark,
    caller,
    evidence_of,
    free,
    key_of,
)
from tests.stand_ins.llm.server import LlmStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Each caller has two models of its own, so that no test moves what another one believes. By its
# size and its context, the hasty one is expected to be better.
CALLERS = ("measuring", "rating", "past", "present")
LOOKS, LONG_AGO = 60, timedelta(days=330)
ONE_CASE = {
    "task_id": "doubled",
    "task": "Write a Python function doubled(number) that gives twice the number.",
    "context_length": 0,
    "check": {"unit_tests": "assert doubled(4) == 8\nassert doubled(-1) == -2"},
}
NUMBERS = range(11, 25)
SUITE = """\
cases:
  - id: clamped
    task: coding
    prompt: Write a Python function clamped(value, low, high) that keeps a value in a range.
    check:
      unit_tests: |
        assert clamped(5, 1, 3) == 3
        assert clamped(0, 1, 3) == 1
        assert clamped(2, 1, 3) == 2
""" + "".join(
    f"  - {{id: shift-{one}, task: coding, prompt: 'What does print({one} << 3) print?', "
    f"check: {{number: {one * 8}}}}}\n"
    for one in NUMBERS
)
# What the careful models know, by a part of the question.
KNOWN = {
    "doubled": "```python\ndef doubled(number):\n    return 2 * number\n```",
    "clamped": "def clamped(value, low, high):\n    return max(low, min(value, high))",
    **{f"{one} <<": f"It prints {one * 8}." for one in NUMBERS},
}
# The hasty ones are wrong in ways that look right.
GUESSED = {
    "doubled": "```python\ndef doubled(number):\n    return number ** 2\n```",
    "clamped": "def clamped(value, low, high):\n    return min(low, max(value, high))",
    **{f"{one} <<": f"It prints {one * 3}." for one in NUMBERS},
}


@dataclass(frozen=True, slots=True)
class Went:
    """Where a request went."""

    model: str
    route_id: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    await _remember(folder)
    async with LlmStandIn("openrouter", offers=list(_offers())) as stand_in:
        for name in CALLERS:
            stand_in.always(f"hasty-70b-{name}:free", answering(GUESSED))
            stand_in.always(f"careful-8b-{name}:free", answering(KNOWN))
        callers = [caller(name, f"openrouter/*-{name}:free") for name in CALLERS]
        async with Office(folder, stand_in, settings={"callers": callers}) as running:
            yield running


def _offers() -> Iterator[Any]:
    for name in CALLERS:
        yield free(f"hasty-70b-{name}", context_tokens=1_000_000)
        yield free(f"careful-8b-{name}", context_tokens=16_000)


async def _remember(folder: Path) -> None:
    """The same was seen of the models of `past` and `present`, but long ago, and yesterday."""
    async with evidence_of(folder) as evidence:
        for name, age in (("past", LONG_AGO), ("present", timedelta(days=1))):
            at = datetime.now(UTC) - age
            for model, quality in ((hasty(name), 0.0), (careful(name), 1.0)):
                one = Observation(model, "research", "benchmark", quality, 1, "benchmark:old", at)
                await evidence.record([one] * LOOKS)


def hasty(name: str) -> str:
    return f"openrouter/hasty-70b-{name}:free"


def careful(name: str) -> str:
    return f"openrouter/careful-8b-{name}:free"


async def went(office: Office, name: str, model: str, prompt: str = "Hello.") -> Went:
    async with office.router.openai(api_key=key_of(name)) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": prompt}]
        )
    answer = raw.parse()
    assert answer.model == raw.headers["x-gateway-model"]
    return Went(answer.model, raw.headers["x-gateway-route-id"])


async def test_what_was_seen_long_ago_counts_for_little(office: Office) -> None:
    past = await went(office, "past", "auto:research")
    present = await went(office, "present", "auto:research")
    assert past.model == hasty("past")
    assert present.model == careful("present")
    told = (await office.read(f"route:{past.route_id}"))["text"]
    day = datetime.now(UTC).date() - LONG_AGO
    assert f"{LOOKS} benchmarks at 100%, counting as 0, the last on {day}" in told
    told = (await office.read(f"route:{present.route_id}"))["text"]
    assert re.search(rf"{LOOKS} benchmarks at 100%, counting as 5\d", told)


async def test_many_thumbs_change_the_choice_and_one_does_not(office: Office) -> None:
    async def thumb_down(route: Went) -> None:
        body = {"route_id": route.route_id, "rating": "down"}
        told = await office.post("/v1/feedback", body)
        assert told == {"model": hasty("rating"), "task": "creative", "rating": "down"}

    async def asked(number: int) -> Went:
        # Whoever asks the same twice was not served, which says something too.
        return await went(office, "rating", "auto:creative", f"A verse about the number {number}.")

    first = await asked(0)
    # Said twice, it is still one thumb.
    await thumb_down(first)
    await thumb_down(first)
    assert (await asked(1)).model == hasty("rating")
    thumbs = 1
    while (route := await asked(thumbs + 1)).model == hasty("rating"):
        await thumb_down(route)
        thumbs += 1
        assert thumbs < 25
    assert thumbs > 3
    assert route.model == careful("rating")
    told = (await office.read(f"route:{route.route_id}"))["text"]
    assert f"{thumbs} thumbs at 0%, counting as {thumbs}, the last on" in told
    # It is the same at other tasks only as far as one task tells of another.
    assert (await went(office, "past", "auto:creative")).model == hasty("past")


async def test_a_benchmark_makes_another_model_the_choice_and_one_look_does_not(
    office: Office, tmp_path: Path
) -> None:
    models = [hasty("measuring"), careful("measuring")]
    assert (await went(office, "measuring", "auto:coding")).model == hasty("measuring")

    look = await office.post("/v1/benchmarks", {"models": models, "cases": [ONE_CASE]})
    assert {one["model"]: one["quality"] for one in look["results"]} == dict(
        zip(models, (0.0, 1.0), strict=True)
    )
    assert {one["task"] for one in look["results"]} == {"coding"}
    after_one = await went(office, "measuring", "auto:coding")
    assert after_one.model == hasty("measuring")
    told = (await office.read(f"route:{after_one.route_id}"))["text"]
    assert "1 benchmark at 100%, counting as 1, the last on" in told

    (tmp_path / "mine.yaml").write_text(SUITE, "utf-8")
    named = [word for model in models for word in ("--model", model)]
    suite = ("--suite", str(tmp_path / "mine.yaml"), "--parallel", "4")
    ended = await benchmark(office.folder, "run", *suite, *named)
    assert ended.code == 0, ended.aside
    first = ended.out.splitlines()[1].split()
    assert first[:3] == ["all", careful("measuring"), "1.00"]
    run_id = re.search(r"^benchmark (\S+), mine$", ended.aside, re.MULTILINE)
    assert run_id

    await office.restart()
    # Read before anything is asked: how fast a model is counts too, once it was seen.
    planned = await office.read("routing:coding")
    after_many = await went(office, "measuring", "auto:coding")
    assert after_many.model == careful("measuring")
    seen = (
        f"16 benchmarks at 100%, counting as 16, the last on {datetime.now(UTC):%Y-%m-%d} "
        f"(`benchmark:{run_id[1]}`)"
    )
    for document in (planned, await office.read(f"route:{after_many.route_id}")):
        assert document["metadata"]["model"] == careful("measuring")
        [line] = [
            one
            for one in document["text"].splitlines()
            if one.startswith(f"| `{careful('measuring')}`") and "benchmarks" in one
        ]
        assert seen in line
        believed, doubt, expected = map(int, re.findall(r"(\d+)%", line)[:3])
        assert believed > expected
        assert 0 < doubt < believed
    # What is said of it can be read.
    assert (await office.read(f"benchmark:{run_id[1]}"))["metadata"]["status"] == "done"

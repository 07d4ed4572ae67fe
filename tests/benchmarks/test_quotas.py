"""Free quotas that a benchmark shares with others."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.caller import LOCAL, Caller
from gateway.errors import InvalidRequest, Refused
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.benchmarks.worlds import GOOD, SUM, settings, world
from tests.stand_ins.llm.server import LlmStandIn

GOOD_ID = "openrouter/good:free"
DAY = Window.parse("day")


async def test_a_benchmark_takes_no_more_than_its_part_of_a_quota_of_all(tmp_path: Path) -> None:
    free = Limit("free", "requests", 20, DAY, where={"model": "*:free"})
    ann = Caller("ann")
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, limits=[free]) as here,
    ):
        begin = here.benchmarks.begin
        with pytest.raises(Refused, match=r"12 calls are more than 25 % of the 20 requests"):
            await begin(ann, settings(GOOD_ID, attempts=6), "hers")
        await begin(ann, settings(GOOD_ID, cases=[SUM], attempts=5), "hers")
        await begin(LOCAL, settings(GOOD_ID, attempts=6), "the owner's")


async def test_a_quota_of_ones_own_may_be_used_up(tmp_path: Path) -> None:
    own = Limit("own", "requests", 20, DAY, per=("caller",))
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in, limits=[own]) as here,
    ):
        await here.benchmarks.begin(Caller("ann"), settings(GOOD_ID, attempts=10), "hers")


async def test_what_one_run_may_hold_is_bounded(tmp_path: Path) -> None:
    async with (
        LlmStandIn("openrouter", offers=[GOOD]) as stand_in,
        world(tmp_path, stand_in) as here,
    ):
        long = replace(SUM, prompt="a" * 100_001)
        with pytest.raises(InvalidRequest, match="has 100,001 characters"):
            await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=[long]), "long")
        many = [replace(SUM, id=f"s{number}", prompt="a" * 90_000) for number in range(3)]
        with pytest.raises(InvalidRequest, match="at most 262,144 are kept"):
            await here.benchmarks.begin(LOCAL, settings(GOOD_ID, cases=many), "many")

"""What a person is told who asked for something that is not there, or asked unclearly."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.sources.router_reader import FOR_OWNERS, NO_BUDGET, NO_QUOTA
from gateway.usage.limit import Limit
from tests.sources.router_world import LIMITS, opened_router

BUDGETS = [limit for limit in LIMITS if limit.kind == "budget"]
QUOTAS = [limit for limit in LIMITS if limit.kind == "quota"]


async def told(folder: Path, question: str, limits: Sequence[Limit] = LIMITS) -> str:
    async with opened_router(folder, limits=limits) as router:
        return (await router.registry.search(question)).message


@pytest.mark.parametrize(
    ("question", "limits", "hint"),
    [
        ("budget left", (), NO_BUDGET),
        ("budget left", QUOTAS, NO_BUDGET),
        ("budget left", BUDGETS, ""),
        ("my quotas", (), NO_QUOTA),
        ("how many free requests are left", BUDGETS, NO_QUOTA),
        ("how many free requests are left", QUOTAS, ""),
        ("what did I spend today, and what budget is left?", (), NO_BUDGET),
    ],
)
async def test_a_limit_that_is_not_set_says_how_to_set_it(
    tmp_path: Path, question: str, limits: Sequence[Limit], hint: str
) -> None:
    assert await told(tmp_path, question, limits) == hint


async def test_an_unclear_question_is_told_what_can_be_asked(tmp_path: Path) -> None:
    message = await told(tmp_path, "what is the price")
    for example in ("cheapest model with vision", "spent this month", "bitcoin order flow"):
        assert f"'{example}'" in message
    async with opened_router(tmp_path) as router:
        for example in message.split("'")[1::2]:
            assert (await router.registry.search(example)).results, example


@pytest.mark.parametrize(
    "question", ["what did I spend", "my quotas", "budget left", "last route", "is openai up"]
)
async def test_who_is_no_owner_is_told_for_whom_it_is(tmp_path: Path, question: str) -> None:
    async with opened_router(tmp_path, limits=(), is_owner=False) as router:
        answer = await router.registry.search(question)
    assert (answer.results, answer.message) == ((), FOR_OWNERS)


async def test_who_is_no_owner_is_not_sent_to_what_is_not_open(tmp_path: Path) -> None:
    async with opened_router(tmp_path, is_owner=False) as router:
        message = (await router.registry.search("what is the price")).message
    assert "'cheapest model with vision'" in message
    assert "spent" not in message

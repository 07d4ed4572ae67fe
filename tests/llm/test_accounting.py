"""What a call may cost at most, and what it did cost: never less than the truth, never a guess
where the provider said it.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.accounting import Cost, Meter, allowances, cost, worst_amount
from gateway.llm.messages import ChatRequest, Chunk, Usage
from gateway.llm.model import Model, Price, PriceTier, Rates

DAY = date(2026, 11, 21)
RATES = Rates(Decimal("0.5"), Decimal(2), Decimal("0.05"), Decimal("0.625"))
PAID = Model("p/m", "p", "m", "M", max_output_tokens=1_000, price=Price(RATES, "list", DAY))
USED = Usage(input_tokens=100, output_tokens=10, cached_tokens=40)


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        (PAID, USED, Cost(52, 52, "catalog")),
        (PAID, replace(USED, billed_usd="0.000049"), Cost(49, 52, "provider")),
        (PAID, replace(USED, billed_usd="0.0000495"), Cost(50, 52, "provider")),
        (PAID, replace(USED, billed_usd="0", list_usd="0.001"), Cost(0, 1_000, "provider")),
        (replace(PAID, is_included=True), USED, Cost(0, 52, "subscription")),
        (replace(PAID, is_local=True, price=None), USED, Cost(0, None, "local")),
        (replace(PAID, price=None), USED, Cost(None, None, "unknown")),
        (PAID, replace(USED, billed_usd="nonsense"), Cost(52, 52, "catalog")),
        (PAID, replace(USED, billed_usd="-0.001"), Cost(52, 52, "catalog")),
    ],
)
def test_the_providers_own_word_comes_first_and_unknown_is_never_zero(
    model: Model, usage: Usage, expected: Cost
) -> None:
    assert cost(usage, model) == expected


def test_a_guess_is_called_one() -> None:
    assert cost(USED, PAID, is_estimated=True).source == "estimated"


counts = st.integers(0, 2_000_000)
rates = st.decimals(0, 200, places=3)


@given(counts, counts, counts, counts, st.tuples(rates, rates, rates, rates))
def test_the_worst_case_is_never_less_than_what_a_call_costs(
    plain: int, cached: int, written: int, output: int, prices: tuple[Decimal, ...]
) -> None:
    base = Rates(*prices)
    dearer = Rates(*(2 * one for one in prices))
    price = Price(base, "list", DAY, tiers=(PriceTier(272_000, dearer),))
    # A cache read that costs more than the input exists nowhere.
    if base.cache_read is not None and base.input is not None and base.cache_read > base.input:
        return
    usage = Usage(plain + cached + written, output, cached, written)
    worst = price.worst_microusd(usage.input_tokens, output)
    truth = price.cost_microusd(usage)
    assert worst is not None
    assert truth is not None
    assert worst >= truth


def test_what_is_free_holds_no_money_and_what_has_no_price_is_unknown() -> None:
    free = replace(PAID, is_included=True)
    unknown = replace(PAID, price=None)
    assert worst_amount(free, input_tokens=10, output_tokens=5).microusd == 0
    assert worst_amount(unknown, input_tokens=10, output_tokens=5).microusd is None
    assert worst_amount(PAID, input_tokens=10, output_tokens=5).tokens == 15


@pytest.mark.parametrize(
    ("asked", "model", "expected"),
    [
        (50, PAID, [(50, 50)]),
        (5_000, PAID, [(1_000, 1_000)]),
        (None, PAID, [(None, 1_000), (100, 100)]),
        (None, replace(PAID, max_output_tokens=None), [(100, 100)]),
        (None, replace(PAID, max_output_tokens=80), [(None, 80)]),
    ],
)
def test_an_answer_is_bounded_only_where_there_is_no_room_for_more(
    asked: int | None, model: Model, expected: list[tuple[int | None, int]]
) -> None:
    request = ChatRequest("m", (), max_output_tokens=asked)
    found = allowances(request, model, default_tokens=100)
    assert [(bounded.max_output_tokens, most) for bounded, most in found] == expected


def test_an_answer_that_nobody_counted_is_guessed_by_its_pieces() -> None:
    meter = Meter(input_tokens=30)
    for word in ("a", "b", "cdefghijklmnopqrstuvwxyz"):
        meter.count(Chunk(text=word))
    assert not meter.is_counted
    assert meter.usage == Usage(input_tokens=30, output_tokens=6)


def test_letters_of_other_scripts_and_refusals_are_guessed_too() -> None:
    meter = Meter(input_tokens=0)
    meter.count(Chunk(text="今日は天気がいいですね、散歩に行きましょう"))
    assert meter.usage.output_tokens == 15
    meter.count(Chunk(refusal="I cannot help with that."))
    assert meter.usage.output_tokens == 21


def test_a_count_that_came_before_the_end_is_only_a_beginning() -> None:
    meter = Meter(input_tokens=30)
    meter.count(Chunk(usage=Usage(input_tokens=25, output_tokens=1)))
    for _ in range(9):
        meter.count(Chunk(text="word"))
    assert (meter.is_counted, meter.usage) == (False, Usage(input_tokens=25, output_tokens=9))
    meter.count(Chunk(finish_reason="stop", usage=Usage(input_tokens=25, output_tokens=8)))
    assert (meter.is_counted, meter.usage) == (True, Usage(input_tokens=25, output_tokens=8))

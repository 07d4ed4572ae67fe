"""What calls would cost, which models are free, and what is forgotten of OpenRouter's."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import caller
from gateway.caller import LOCAL, Caller
from gateway.evidence.observation import Observation
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.model import Model, Price, PriceTier, Rates
from gateway.routing_tools.estimates import INCLUDED, UNKNOWN, estimate
from gateway.routing_tools.estimates import LOCAL as AT_HOME
from gateway.routing_tools.tools import MOST_ESTIMATES
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.llm.lineups import free, model
from tests.routing_bench import FREE, PAID, bench
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.server import LlmStandIn


async def test_costs_are_told_cheapest_first_with_their_parts_and_days(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    dear = Offer("dear-one", Decimal(5), Decimal(20), cache_read=Decimal("0.5"))
    async with (
        LlmStandIn("openrouter", offers=[dear, PAID, FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        said = await on.asked(
            "get_cost_estimate", context_length=10_000, expected_output_length=1_000
        )
        again = await on.asked("get_cost_estimate", context_length=10_000, model="dear-one")
    first, second, third = said["estimates"]
    assert (first["model"], first["total_usd"]) == ("openrouter/free-one:free", 0)
    assert first["why"] == "its list price is 0"
    assert (second["total_microusd"], second["total_usd"]) == (7_000, 0.007)
    assert (second["input_usd"], second["output_usd"]) == (0.005, 0.002)
    assert second["cached_input_total_usd"] is None
    assert third["total_usd"] == 0.07
    assert third["cached_input_total_usd"] == 0.025
    assert third["price_as_of"] == datetime.now(UTC).date().isoformat()
    assert said["cheapest_paid"]["model"] == "openrouter/paid-one"
    assert (said["total"], said["counts"]) == (3, {"free": 1, "paid": 2, "unknown_price": 0})
    [of_dear] = again["estimates"]
    assert of_dear["total_usd"] == (10_000 * 5 + 500 * 20) / 1_000_000
    assert of_dear["fits_context"] is True


async def test_of_many_costs_some_are_listed_and_all_counted(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    many = [Offer(f"model-{n:03}", Decimal(n + 1)) for n in range(MOST_ESTIMATES + 5)]
    tiny = Offer("tiny", context_tokens=1_000)
    async with (
        LlmStandIn("openrouter", offers=[*many, tiny]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        said = await on.asked("get_cost_estimate", context_length=2_000)
        of_tiny = await on.asked("get_cost_estimate", context_length=2_000, model="tiny")
    assert (len(said["estimates"]), said["total"]) == (MOST_ESTIMATES, MOST_ESTIMATES + 5)
    assert said["estimates"][0]["model"] == "openrouter/model-000"
    assert said["too_small"] == 1
    assert of_tiny["estimates"][0]["fits_context"] is False


DAY = date(2026, 11, 1)
TIERED = Price(
    Rates(Decimal(2), Decimal(10), request=Decimal(7)),
    "a list",
    DAY,
    (
        PriceTier(200_000, Rates(Decimal(4), Decimal(15), cache_read=Decimal("0.4"))),
        PriceTier(500_000, Rates(Decimal(8), Decimal(30))),
    ),
)


@pytest.mark.parametrize(
    ("one", "tokens", "total", "parts", "why"),
    [
        (
            replace(model("p/m"), price=TIERED),
            (200_000, 100),
            401_007,
            (400_000, 1_000, 7),
            "list price",
        ),
        (
            replace(model("p/m"), price=TIERED),
            (200_001, 100),
            801_504,
            (800_004, 1_500, 0),
            "list price above 200,000 input tokens",
        ),
        (
            replace(model("p/m"), price=TIERED),
            (600_000, 0),
            4_800_000,
            (4_800_000, 0, 0),
            "list price above 500,000 input tokens",
        ),
        (model("p/m"), (10, 10), None, (None, None, None), UNKNOWN),
        (
            replace(model("p/m"), price=Price(Rates(Decimal(1), None), "a list", DAY)),
            (10, 10),
            None,
            (None, None, None),
            UNKNOWN,
        ),
        (model("p/m", (1, 2), is_included=True), (10, 10), 0, (0, 0, 0), INCLUDED),
        (model("p/m", is_local=True), (10, 10), 0, (0, 0, 0), AT_HOME),
        (free("p/m"), (10, 10), 0, (0, 0, 0), "its list price is 0"),
    ],
)
def test_a_cost_is_that_of_the_prices_which_hold_for_so_many_tokens(
    one: Model,
    tokens: tuple[int, int],
    total: int | None,
    parts: tuple[int | None, ...],
    why: str,
) -> None:
    said = estimate(one, *tokens)
    assert said.total_microusd == total
    assert (said.input_microusd, said.output_microusd, said.request_microusd) == parts
    assert said.why == why


def test_what_is_included_still_shows_its_list_price_and_what_comes_later_is_told() -> None:
    assert estimate(model("p/m", (1, 2), is_included=True), 10, 10).list_microusd == 30
    tiered = estimate(replace(model("p/m"), price=TIERED), 300_000, 100)
    assert tiered.cached_microusd == 300_000 * 4 // 10 + 1_500
    assert tiered.to_json()["dearer_above_tokens"] == [500_000]
    assert estimate(replace(model("p/m"), price=TIERED), 10, 1).cached_microusd is None
    unsized = model("p/m", (1, 2), context_tokens=None)
    assert estimate(unsized, 10, 10).fits is None


async def test_free_models_are_told_with_abilities_and_what_is_left(tmp_path: Path) -> None:
    caller.begin(Caller("alice"))
    left = Limit("daily", "requests", 40, Window.parse("day"), {"tier": "free"})
    async with (
        LlmStandIn("openrouter", offers=[PAID, FREE]) as one,
        LlmStandIn("nanogpt", offers=[Offer("covered", is_included=True)]) as other,
        bench(tmp_path, one, other, limits=[left]) as on,
    ):
        said = await on.asked("get_free_models")
    by_id = {model["id"]: model for model in said["models"]}
    assert by_id.keys() == {"openrouter/free-one:free", "nanogpt/covered"}
    assert by_id["openrouter/free-one:free"]["why_free"] == "its list price is 0"
    assert by_id["nanogpt/covered"]["why_free"] == "a subscription includes it"
    assert by_id["openrouter/free-one:free"]["context_tokens"] == FREE.context_tokens
    assert "tools" in by_id["openrouter/free-one:free"]["abilities"]
    [quota] = said["quota_left"]
    assert (quota["name"], quota["left"]) == ("daily", 40)
    assert said["total"] == 2
    assert {one["outcome"] for one in said["lists"]} == {"kept"}


async def test_lists_are_asked_for_anew_at_will_but_only_once_a_minute(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        stand_in.offers["free-one:free"] = FREE
        assert (await on.asked("get_free_models"))["total"] == 0
        said = await on.asked("get_free_models", refresh=True)
        assert (said["total"], said["lists"][0]["outcome"]) == (1, "refreshed")
        del stand_in.offers["free-one:free"]
        on.seconds[0] = 59
        [state] = (await on.asked("get_free_models", refresh=True))["lists"]
        assert (state["outcome"], state["retry_after_seconds"]) == ("too_soon", 1)
        on.seconds[0] = 60
        said = await on.asked("get_free_models", refresh=True)
        assert (said["total"], said["lists"][0]["outcome"]) == (0, "refreshed")


async def test_a_list_that_does_not_come_is_told_and_the_last_one_holds(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        await stand_in.__aexit__()
        said = await on.asked("get_free_models", refresh=True)
    [state] = said["lists"]
    assert (state["outcome"], state["provider"]) == ("failed", "openrouter")
    assert state["as_of"] == datetime.now(UTC).date().isoformat()
    assert said["total"] == 1


async def test_a_list_of_yesterday_is_asked_for_without_being_told_to(tmp_path: Path) -> None:
    caller.begin(LOCAL)

    def tomorrow() -> datetime:
        return datetime.now(UTC) + timedelta(days=1)

    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in, clock=tomorrow) as on,
    ):
        outcomes = []
        for seconds in (0, 599, 600):
            on.seconds[0] = seconds
            [state] = (await on.asked("get_free_models"))["lists"]
            outcomes.append(state["outcome"])
    assert outcomes == ["refreshed", "kept", "refreshed"]


async def test_an_owner_can_have_openrouters_models_forgotten_and_listed_anew(
    tmp_path: Path,
) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[PAID, FREE]) as one,
        LlmStandIn("nanogpt", offers=[Offer("covered", is_included=True)]) as other,
        bench(tmp_path, one, other) as on,
    ):
        seen = [
            Observation(name, "coding", "benchmark", 1.0, 1.0, "benchmark:1", datetime.now(UTC))
            for name in ("openrouter/paid-one", "openrouter/gone", "nanogpt/covered")
        ]
        await on.evidence.record(seen)
        await on.asked("get_free_models", refresh=True)
        answering = on.routed.completion.answering(
            LOCAL, ChatRequest("paid-one", (Message("user", (Text("Hello!"),)),))
        )
        async with answering as chunks:
            [_ async for _ in chunks]
        one.offers["new-one:free"] = replace(FREE, name="new-one:free")
        said = await on.asked("clear_openrouter_tracking")
        assert said["forgotten"] == {"lists": 1, "paces": 1, "evidence": 2}
        assert (said["is_list_new"], said["models"], said["free_models"]) == (True, 3, 2)
        assert on.evidence.everything.keys() == {"nanogpt/covered"}
        assert not list(on.routed.providers["openrouter"].paces())
        assert on.kept.read("openrouter")
        assert on.kept.read("nanogpt")


async def test_what_could_not_be_listed_anew_goes_on_serving(tmp_path: Path) -> None:
    caller.begin(LOCAL)
    async with (
        LlmStandIn("openrouter", offers=[FREE]) as stand_in,
        bench(tmp_path, stand_in) as on,
    ):
        await stand_in.__aexit__()
        said = await on.asked("clear_openrouter_tracking")
    assert (said["is_list_new"], said["models"]) == (False, 1)

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.endpoints.usage import usage_routes
from gateway.storage.database import Database
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.tool_call import ToolCall
from gateway.usage.window import Window
from tests.endpoints.doors import asking

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEYS = {"gw_alice": Caller("alice"), "gw_bob": Caller("bob"), "gw_o": Caller("o", is_owner=True)}
MONTH = Window.parse("month")
LIMITS = (
    Limit("free", "requests", 100, Window.parse("rolling_30_days"), {"tier": "free"}),
    Limit("fair", "requests", 10, Window.parse("day"), per=("caller",)),
    Limit("purse", "microusd", 5_000_000, MONTH),
    Limit("alices", "microusd", 1_000_000, MONTH, {"caller": "alice"}),
)


class Books:
    """A ledger whose clock is set by hand, and the door to it."""

    def __init__(self) -> None:
        self.moment = NOON
        self.ledger: Ledger

    async def used(
        self, caller: str, model: str = "p/small", *, tier: str = "paid", **used: Any
    ) -> None:
        call = Call("r", caller, "p", model, tier, task="coding")
        reservation = await self.ledger.reserve(call, Amount(tokens=10, microusd=10))
        await self.ledger.settle(reservation, Settlement(**used))

    async def ask(self, path: str, key: str = "gw_o", **parameters: str) -> httpx.Response:
        routes = usage_routes(self.ledger, clock=lambda: self.moment)
        async with asking(routes, keys=KEYS, keyless=ANONYMOUS, key=key) as client:
            return await client.get(path, params=parameters)

    async def usage(self, key: str = "gw_o", **parameters: str) -> Mapping[str, Any]:
        answer = await self.ask("/v1/usage", key, **parameters)
        assert answer.status_code == 200, answer.text
        body: Mapping[str, Any] = answer.json()
        return body


@asynccontextmanager
async def opened(folder: Path, *limits: Limit) -> AsyncIterator[Books]:
    books = Books()
    async with (
        Database(f"sqlite:///{folder}/gateway.db") as database,
        Ledger(database, limits, clock=lambda: books.moment) as books.ledger,
    ):
        yield books


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """Three calls of alice on two days, one of bob, one of last month."""
    async with opened(tmp_path) as books:
        books.moment = NOON - timedelta(days=30)
        await books.used("alice", billed_microusd=9_000_000)
        books.moment = NOON - timedelta(days=1)
        await books.used("alice", input_tokens=100, output_tokens=20, billed_microusd=1_500)
        books.moment = NOON
        await books.used("alice", input_tokens=7, output_tokens=1, billed_microusd=250)
        await books.used("alice", "p/large", outcome="unavailable", first_token_ms=80.04)
        await books.used("bob", "p/large", tier="free", billed_microusd=0, list_microusd=40)
        yield books


async def test_usage_is_that_of_this_month_until_one_asks_for_another_span(books: Books) -> None:
    usage = await books.usage()
    assert (usage["from"], usage["to"]) == ("2026-11-01T00:00:00Z", "2026-11-20T12:00:00Z")
    [line] = usage["lines"]
    assert line["calls"] == usage["total"]["calls"] == 4
    assert line["failed"] == 1
    assert usage["total"]["billed_usd"] == 0.00175
    assert (await books.usage(**{"from": "2026-10-01"}))["total"]["calls"] == 5


async def test_days_are_whole_and_moments_exact(books: Books) -> None:
    async def calls(start: str, end: str) -> int:
        total: int = (await books.usage(**{"from": start, "to": end}))["total"]["calls"]
        return total

    assert await calls("2026-11-19", "2026-11-19") == 1
    assert await calls("2026-11-19", "2026-11-20") == 4
    assert await calls("2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z") == 3
    assert await calls("2026-11-20T12:00:01Z", "2026-11-21") == 0
    # A plus sign that nobody quoted arrives as a space.
    assert await calls("2026-11-20T13:00:00 01:00", "2026-11-20T13:00:01 01:00") == 3


async def test_usage_is_grouped_by_what_is_asked_and_adds_up(books: Books) -> None:
    usage = await books.usage(group_by="day,model,caller")
    shown = {
        (line["day"], line["model"], line["caller"]): (line["calls"], line["billed_usd"])
        for line in usage["lines"]
    }
    assert shown == {
        ("2026-11-19", "p/small", "alice"): (1, 0.0015),
        ("2026-11-20", "p/small", "alice"): (1, 0.00025),
        ("2026-11-20", "p/large", "alice"): (1, None),
        ("2026-11-20", "p/large", "bob"): (1, 0.0),
    }
    assert usage["total"]["calls"] == 4
    assert usage["total"]["input_tokens"] == 107
    assert usage["total"]["list_usd"] == 0.00004


@pytest.mark.parametrize("name", "day week month model provider task caller tier context".split())
async def test_each_grouping_of_the_contract_is_served(books: Books, name: str) -> None:
    usage = await books.usage(group_by=name)
    assert usage["group_by"] == [name]
    assert all(name in line for line in usage["lines"])


async def test_a_cost_that_nobody_knows_is_null_and_counted(books: Books) -> None:
    [line] = (await books.usage(group_by="model", outcome="unavailable"))["lines"]
    assert (line["billed_usd"], line["list_usd"]) == (None, None)
    assert line["average_first_token_ms"] == 80.0


async def test_nothing_used_is_no_line_and_costs_nothing(books: Books) -> None:
    usage = await books.usage(model="p/other")
    assert (usage["total"]["calls"], usage["total"]["billed_usd"]) == (0, 0.0)


async def test_a_caller_sees_its_own_usage_whatever_it_asks(books: Books) -> None:
    for parameters in ({}, {"caller": "alice"}, {"group_by": "caller"}):
        usage = await books.usage("gw_bob", **parameters)
        assert usage["total"]["calls"] == 1
        assert {line.get("caller", "bob") for line in usage["lines"]} == {"bob"}
    assert (await books.usage("gw_o", caller="alice"))["total"]["calls"] == 3


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"from": "yesterday"}, "it takes a day such as 2026-11-20"),
        ({"to": "2026-13-01"}, "it takes a day such as 2026-11-20"),
        ({"to": "9999-12-31"}, "too far away"),
        ({"from": "2026-11-20", "to": "2026-11-19"}, "is not before"),
        ({"group_by": "colour"}, "it takes day, week, month, model"),
        ({"colour": "red"}, "there is no parameter 'colour'"),
    ],
)
async def test_a_wrong_parameter_is_named(
    books: Books, parameters: dict[str, str], said: str
) -> None:
    answer = await books.ask("/v1/usage", **parameters)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


async def test_limits_say_what_is_used_what_is_left_and_until_when(tmp_path: Path) -> None:
    async with opened(tmp_path, *LIMITS) as books:
        await books.used("alice", tier="free", billed_microusd=0)
        await books.used("alice", billed_microusd=250_000)
        limits = (await books.ask("/v1/limits")).json()["data"]
        quota = (await books.ask("/v1/quota")).json()["data"]
    by_name = {limit["name"]: limit for limit in limits}
    assert set(by_name) == {"free", "fair", "purse", "alices"}
    free, purse = by_name["free"], by_name["purse"]
    assert (free["kind"], free["unit"], free["window"]) == ("quota", "requests", "rolling_30_days")
    assert (free["limit"], free["used"], free["remaining"], free["percent"]) == (100, 1, 99, 1.0)
    assert free["where"] == {"tier": "free"}
    assert (by_name["fair"]["key"], by_name["fair"]["used"]) == ("caller=alice", 2)
    assert purse["kind"] == "budget"
    assert (purse["limit_usd"], purse["used_usd"], purse["remaining_usd"]) == (5.0, 0.25, 4.75)
    assert purse["resets_at"] == "2026-12-01T00:00:00Z"
    assert {limit["name"] for limit in quota} == {"free", "fair"}


async def test_a_caller_sees_the_limits_that_bind_it_but_not_the_common_purse(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, *LIMITS) as books:
        await books.used("alice", billed_microusd=1)
        await books.used("bob", billed_microusd=1)
        alices = (await books.ask("/v1/limits", "gw_alice")).json()["data"]
        bobs = (await books.ask("/v1/limits", "gw_bob")).json()["data"]
    assert {(one["name"], one["key"]) for one in alices} == {
        ("free", ""),
        ("fair", "caller=alice"),
        ("alices", ""),
    }
    assert {(one["name"], one["key"]) for one in bobs} == {("free", ""), ("fair", "caller=bob")}


async def test_what_a_provider_reports_is_told_beside_what_was_counted(tmp_path: Path) -> None:
    async with opened(tmp_path, LIMITS[0]) as books:
        await books.used("alice", tier="free", billed_microusd=0)
        await books.ledger.observe("free", 40, at=NOON)
        [state] = (await books.ask("/v1/quota")).json()["data"]
    assert (state["reported_by_provider"], state["reported_at"]) == (40, "2026-11-20T12:00:00Z")
    assert (state["used"], state["used_by_others"], state["remaining"]) == (40, 39, 60)


async def test_whoever_has_no_key_is_asked_for_one(books: Books) -> None:
    async with asking(usage_routes(books.ledger), keys=KEYS, keyless=ANONYMOUS) as client:
        for path in ("/v1/usage", "/v1/quota", "/v1/limits"):
            assert (await client.get(path)).status_code == 401
    async with asking(usage_routes(books.ledger), keyless=LOCAL) as client:
        assert (await client.get("/v1/limits")).status_code == 200


async def test_calls_of_tools_are_told_to_owners_and_to_who_made_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as books:
        for who in ("alice", "alice", "bob"):
            call = ToolCall(NOON, "r", who, "search", "gateway", "read", "ok", 12.0)
            books.ledger.note(call)
        await books.used("alice")
        for key, calls in (("gw_o", 3), ("gw_alice", 2), ("gw_bob", 1)):
            answer = await books.ask("/v1/usage/tools", key)
            assert [line["calls"] for line in answer.json()["lines"]] == [calls]
        assert (await books.ask("/v1/usage/tools", caller="bob")).status_code == 400

"""`/v1/usage/forecast`, `/v1/usage/unusual` and `/v1/usage/savings`, over a real ledger."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.caller import ANONYMOUS, Caller
from gateway.endpoints.usage import usage_routes
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.storage.database import Database
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.window import Window
from tests.endpoints.doors import asking

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEYS = {"gw_alice": Caller("alice"), "gw_bob": Caller("bob"), "gw_o": Caller("o", is_owner=True)}
MONTH = Window.parse("month")
LIMITS = (
    Limit("free", "requests", 55, MONTH, {"tier": "free"}),
    Limit("fair", "requests", 1_000, MONTH, per=("caller",)),
    Limit("purse", "microusd", 900_000_000, MONTH),
)
CATALOG = Catalog([ConfiguredProvider("openai", "openai")])
SOL = "openai/gpt-6-sol"


class Books:
    """A ledger whose clock is set by hand, and the door to it."""

    def __init__(self) -> None:
        self.moment = NOON
        self.ledger: Ledger

    async def used(self, caller: str, model: str = SOL, *, tier: str = "paid", **used: Any) -> None:
        call = Call("r", caller, model.partition("/")[0], model, tier, task="coding")
        reservation = await self.ledger.reserve(call, Amount(tokens=10, microusd=10))
        await self.ledger.settle(reservation, Settlement(**used))

    async def ask(
        self, path: str, key: str = "gw_o", *, catalog: Catalog | None = CATALOG, **parameters: str
    ) -> httpx.Response:
        routes = usage_routes(self.ledger, catalog, clock=lambda: self.moment)
        async with asking(routes, keys=KEYS, keyless=ANONYMOUS, key=key) as client:
            return await client.get(path, params=parameters)

    async def told(self, path: str, key: str = "gw_o", **parameters: Any) -> Mapping[str, Any]:
        answer = await self.ask(path, key, **parameters)
        assert answer.status_code == 200, answer.text
        body: Mapping[str, Any] = answer.json()
        return body


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Books]:
    books = Books()
    async with (
        Database(f"sqlite:///{folder}/gateway.db") as database,
        Ledger(database, LIMITS, clock=lambda: books.moment) as books.ledger,
    ):
        yield books


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """Ten days of three free calls of alice and a paid one of bob, who spent $9 on the last."""
    async with opened(tmp_path) as books:
        for days_ago in range(10, 0, -1):
            books.moment = NOON - timedelta(days=days_ago)
            for _ in range(3):
                await books.used(
                    "alice", "openai/x:free", tier="free", input_tokens=1_000,
                    output_tokens=100, billed_microusd=0, list_microusd=2_000,
                )  # fmt: skip
            cost = 9_000_000 if days_ago == 1 else 500_000
            await books.used(
                "bob", input_tokens=10_000, output_tokens=1_000, billed_microusd=cost,
                list_microusd=cost,
            )  # fmt: skip
        books.moment = NOON
        yield books


async def test_each_limit_has_a_forecast_in_numbers_and_in_words(books: Books) -> None:
    forecasts = (await books.told("/v1/usage/forecast"))["data"]
    by_name = {(one["name"], one["key"]): one for one in forecasts}
    free, purse = by_name["free", ""], by_name["purse", ""]
    assert (free["used"], free["remaining"]) == (30, 25)
    # Nothing was used of the day that still runs, so the pace falls a little below three.
    assert 2.8 < free["a_day"] < 3
    assert free["ends_at"].startswith("2026-11-29")
    assert free["ends_at_the_earliest"] < free["ends_at"]
    assert free["says"].startswith("At this pace it ends on 29 Nov 2026 (in about 9 days")
    assert (purse["is_known"], purse["ends_at"], purse["until"]) == (
        True,
        None,
        "2026-12-01T00:00:00Z",
    )
    left = purse["left_then"]
    assert left["least"] < left["likely"] < left["most"] < 900_000_000
    assert purse["says"].startswith("At this pace it lasts until it resets on 1 Dec 2026")


async def test_a_caller_sees_the_forecasts_of_limits_that_are_open_to_it(books: Books) -> None:
    forecasts = (await books.told("/v1/usage/forecast", "gw_bob"))["data"]
    assert {(one["name"], one["key"]) for one in forecasts} == {
        ("free", ""),
        ("fair", "caller=bob"),
    }


async def test_too_little_is_said_to_be_too_little(tmp_path: Path) -> None:
    async with opened(tmp_path) as books:
        await books.used("alice", billed_microusd=1)
        for one in (await books.told("/v1/usage/forecast"))["data"]:
            assert not one["is_known"]
            assert (one["ends_at"], one["left_then"], one["a_day"]) == (None, None, None)
            assert one["says"].startswith("Too little was used to tell")


async def test_an_unusual_day_is_told_to_owners_and_to_who_made_it(books: Books) -> None:
    [flag] = (await books.told("/v1/usage/unusual"))["data"]
    assert (flag["what"], flag["of"], flag["since"], flag["usd"]) == (
        "spend",
        "all",
        "2026-11-19",
        9.0,
    )
    assert flag["usual_usd"] == 0.5
    assert flag["mostly"] == [f"model {SOL}", "caller bob"]
    assert flag["says"].startswith("Spent on 19 Nov 2026: $9.00")
    assert (await books.told("/v1/usage/unusual", window="today"))["data"] == []
    assert (await books.told("/v1/usage/unusual", window="2026-11-19"))["data"] == [flag]
    assert (await books.told("/v1/usage/unusual", "gw_alice"))["data"] == []
    assert len((await books.told("/v1/usage/unusual", "gw_bob"))["data"]) == 1


async def test_savings_are_told_by_list_and_against_an_alternative(books: Books) -> None:
    told = await books.told("/v1/usage/savings")
    assert told["by_list"]["saved_usd"] == 0.06
    assert told["alternative"]["model"] == SOL
    assert told["alternative"]["why"] == "the paid model that was used most in this time"
    # What bob paid was far above the list that the catalog has: never a negative saving.
    against = told["against_alternative"]
    assert against["saved_usd"] is None
    assert against["extra_usd"] == pytest.approx(against["paid_usd"] - against["worth_usd"])
    assert "they cost $" in told["says"]
    assert told["notes"]
    alices = await books.told("/v1/usage/savings", "gw_alice", alternative=SOL, window="30d")
    assert alices["against_alternative"]["calls"] == 30
    assert alices["against_alternative"]["saved_usd"] > 0
    assert alices["alternative"]["prices_as_of"]


async def test_without_a_catalog_only_the_list_is_known(books: Books) -> None:
    told = await books.told("/v1/usage/savings", catalog=None)
    assert (told["by_list"]["saved_usd"], told["against_alternative"]) == (0.06, None)
    assert (await books.ask("/v1/usage/savings", catalog=None, alternative=SOL)).status_code == 400


@pytest.mark.parametrize(
    ("path", "parameters", "status", "said"),
    [
        ("forecast", {"window": "7d"}, 400, "no parameter 'window'; it takes none"),
        ("unusual", {"window": "soon"}, 400, "use one such as today"),
        ("unusual", {"caller": "bob"}, 400, "there are window"),
        ("savings", {"alternative": "gpt-6-sool"}, 404, "there is no model 'gpt-6-sool'"),
        ("savings", {"from": "today"}, 400, "there are window, alternative"),
    ],
)
async def test_what_is_asked_wrongly_is_told(
    books: Books, path: str, parameters: dict[str, Any], status: int, said: str
) -> None:
    answer = await books.ask(f"/v1/usage/{path}", **parameters)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


async def test_whoever_has_no_key_is_asked_for_one(books: Books) -> None:
    async with asking(usage_routes(books.ledger), keys=KEYS, keyless=ANONYMOUS) as client:
        for name in ("forecast", "unusual", "savings"):
            assert (await client.get(f"/v1/usage/{name}")).status_code == 401

"""A person's decision makes the call, as that person, and a call that fails can be made again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway import caller, idempotency
from gateway.agents.deciding import ADVICE, Deciding
from gateway.agents.notifications import Notifications
from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import SuggestionStore
from gateway.caller import Caller
from gateway.errors import NotFound, PermissionDenied, Refused, Unavailable
from gateway.storage.database import Database
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.tools.toolbox import Toolbox

ALICE, BOB = Caller("alice"), Caller("bob", tools=("other_*",))
PAY = {"to": "carol"}


@dataclass
class Desk:
    """Where suggestions are decided about; `pays` is what comes of each call of a tool, in turn."""

    suggestions: SuggestionStore
    notifications: Notifications
    deciding: Deciding
    pays: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    # As whom it was called, and under which key.
    calls: list[tuple[str, str | None]] = field(default_factory=list)

    async def pay(self, arguments: Arguments) -> Answer:
        assert arguments == PAY
        self.calls.append((caller.current().name, idempotency.current()))
        await self.pays.pop(0)()
        return Answer({"paid": True})

    async def suggested(self, tool: str | None = "pay") -> Suggestion:
        given: dict[str, Any] = {
            "title": "Pay",
            "reason": "It is due.",
            "tool": tool,
            "arguments": PAY,
        }
        return await self.suggestions.open("run", "review", occasion="run:1", **given)

    async def status(self, suggestion: Suggestion) -> tuple[str, str | None]:
        found = await self.suggestions.suggestion(suggestion.id)
        return found.status, found.outcome

    async def told(self) -> list[str]:
        return [one.kind for one in await self.notifications.since()]


@asynccontextmanager
async def opened_desk(folder: Path) -> AsyncIterator[Desk]:
    schema = {"type": "object"}

    async def pay(arguments: Arguments) -> Answer:
        return await opened.pay(arguments)

    async def tools() -> tuple[Tool, ...]:
        return (Tool("pay", "Pay", "Pays.", schema, pay, Effect.WRITE),)

    box = Toolbox([tools])

    def toolbox_of(who: Caller) -> Toolbox:
        caller.begin(who)
        return box

    async with Database(f"sqlite:///{folder}/gateway.db") as database:
        suggestions, notifications = SuggestionStore(database), Notifications(database)
        async with notifications:
            deciding = Deciding(suggestions, notifications, toolbox_of)
            opened = Desk(suggestions, notifications, deciding)
            yield opened


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened_desk(tmp_path) as opened:
        yield opened


async def well() -> None:
    return None


def fails(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


async def test_what_is_accepted_is_done_as_that_person_under_its_key(desk: Desk) -> None:
    desk.pays = [well]
    suggestion = await desk.suggested()
    decided = await desk.deciding.accept(suggestion.id, ALICE, note="Do it.")
    assert (decided.status, decided.decided_by, decided.note) == ("accepted", "alice", "Do it.")
    assert "paid" in (decided.outcome or "")
    assert desk.calls == [("alice", suggestion.id)]
    assert await desk.told() == ["suggestion.accepted"]
    with pytest.raises(Refused, match="accepted by alice"):
        await desk.deciding.accept(suggestion.id, ALICE)
    with pytest.raises(Refused, match="accepted by alice"):
        await desk.deciding.dismiss(suggestion.id, ALICE)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("the bank is away", retry_after_seconds=1), "unavailable: the bank is away"),
        (RuntimeError("a secret of ours"), "internal: see the gateway's log"),
    ],
)
async def test_a_call_that_fails_is_failed_and_can_be_accepted_again(
    desk: Desk, error: Exception, outcome: str
) -> None:
    desk.pays = [fails(error), well]
    suggestion = await desk.suggested()
    with pytest.raises(type(error)):
        await desk.deciding.accept(suggestion.id, ALICE)
    assert await desk.status(suggestion) == ("failed", outcome)
    assert await desk.told() == []
    decided = await desk.deciding.accept(suggestion.id, ALICE)
    assert decided.status == "accepted"
    # Both under one key: what the first one did is not done again.
    assert desk.calls == [("alice", suggestion.id)] * 2


async def test_who_may_not_make_the_call_decides_nothing(desk: Desk) -> None:
    suggestion = await desk.suggested()
    with pytest.raises(PermissionDenied):
        await desk.deciding.accept(suggestion.id, BOB)
    assert await desk.status(suggestion) == ("open", None)
    with pytest.raises(NotFound):
        await desk.deciding.accept("sug_000000000000", ALICE)
    assert desk.calls == []


async def test_of_two_who_accept_at_once_one_makes_the_call(desk: Desk) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await may_end.wait()

    desk.pays = [slow]
    suggestion = await desk.suggested()
    first = asyncio.create_task(desk.deciding.accept(suggestion.id, ALICE))
    async with asyncio.timeout(10):
        await begun.wait()
    with pytest.raises(Refused, match="being accepted by alice"):
        await desk.deciding.accept(suggestion.id, Caller("dave"))
    may_end.set()
    assert (await first).decided_by == "alice"
    assert len(desk.calls) == 1


async def test_advice_is_taken_and_what_is_dismissed_is_never_done(desk: Desk) -> None:
    advice = await desk.suggested(tool=None)
    decided = await desk.deciding.accept(advice.id, BOB)
    assert (decided.status, decided.outcome) == ("accepted", ADVICE)
    assert desk.calls == []
    other = await desk.suggestions.open("run", "review", occasion="2", title="t", reason="r")
    dismissed = await desk.deciding.dismiss(other.id, BOB, note="No.")
    assert (dismissed.status, dismissed.decided_by) == ("dismissed", "bob")
    assert await desk.told() == ["suggestion.accepted", "suggestion.dismissed"]
    with pytest.raises(Refused, match="dismissed by bob"):
        await desk.deciding.accept(other.id, ALICE)

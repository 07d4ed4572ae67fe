"""Live lists: asked for beside the requests, kept on disk, never lost to a failure."""

import asyncio
import json
import stat
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Unavailable
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.kept_lists import KeptLists
from gateway.llm.catalog.refresh import ListedProvider, Refresh, pause_seconds
from gateway.llm.listing import Listing, ListingKind

NANOGPT = ConfiguredProvider("nanogpt", "nanogpt")
PRICE = {"prompt": 1, "completion": 2, "currency": "USD", "unit": "per_million_tokens"}


def clock() -> datetime:
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


class Lister:
    """Answers with what it was given last; None is a failure."""

    def __init__(self) -> None:
        self.answers: Sequence[Listing] | None = ()

    async def __call__(self) -> Sequence[Listing]:
        if self.answers is None:
            raise Unavailable("it is down", retry_after_seconds=1)
        return self.answers


def listing(kind: ListingKind, *names: str) -> Listing:
    return Listing(kind, {"data": [{"id": name, "pricing": PRICE} for name in names]})


def refresh_of(catalog: Catalog, lister: Lister, folder: Path) -> Refresh:
    providers = [ListedProvider("nanogpt", lister)]
    return Refresh(catalog, providers, kept=KeptLists(folder), clock=clock)


def offered(catalog: Catalog) -> list[tuple[str, str]]:
    return sorted((model.name, model.tier) for model in catalog.callable_models)


async def test_lists_are_asked_for_at_the_start_and_again_after_a_while(tmp_path: Path) -> None:
    catalog, again = Catalog([NANOGPT], clock=clock), asyncio.Event()
    answers = [[listing("nanogpt_detailed", "one")], [listing("nanogpt_detailed", "two")]]

    async def ask() -> Sequence[Listing]:
        if not answers:
            again.set()
            await asyncio.Event().wait()
        return answers.pop(0)

    provider = ListedProvider("nanogpt", ask, interval_seconds=0)
    refresh = Refresh(catalog, [provider], kept=KeptLists(tmp_path), clock=clock)
    async with asyncio.timeout(5), refresh:
        await again.wait()
    assert offered(catalog) == [("two", "paid")]


async def test_a_provider_that_is_down_is_asked_again_soon_and_then_less_often() -> None:
    pauses = [pause_seconds(3_600, failures) for failures in range(12)]
    assert pauses[:4] == [3_600, 15, 30, 60]
    assert pauses[-1] == 3_600
    assert pause_seconds(5, 1) == 5


async def test_a_provider_that_never_answers_holds_up_nobody(tmp_path: Path) -> None:
    catalog = Catalog([NANOGPT], clock=clock)
    asked, stopped = asyncio.Event(), asyncio.Event()

    async def never() -> Sequence[Listing]:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return ()

    refresh = Refresh(
        catalog, [ListedProvider("nanogpt", never)], kept=KeptLists(tmp_path), clock=clock
    )
    async with asyncio.timeout(5), refresh:
        await asked.wait()
        assert len(catalog.callable_models) > 100, "the embedded ones"
    assert stopped.is_set()


async def test_the_last_good_copy_is_there_before_any_provider_is_asked(tmp_path: Path) -> None:
    catalog, lister = Catalog([NANOGPT], clock=clock), Lister()
    lister.answers = [listing("nanogpt_detailed", "one")]
    assert await refresh_of(catalog, lister, tmp_path).once("nanogpt")

    lister.answers = None
    restarted = Catalog([NANOGPT], clock=lambda: datetime(2026, 12, 24, tzinfo=UTC))
    async with refresh_of(restarted, lister, tmp_path):
        assert offered(restarted) == [("one", "paid")]
        assert restarted.as_of == date(2026, 11, 21), "the day on which it came"
        price = restarted.callable_models[0].price
        assert price is not None
        assert price.as_of == date(2026, 11, 21)


async def test_a_copy_can_be_read_by_nobody_else_and_is_whole(tmp_path: Path) -> None:
    catalog, lister, folder = Catalog([NANOGPT], clock=clock), Lister(), tmp_path / "models"
    lister.answers = [listing("nanogpt_detailed", "one")]
    assert await refresh_of(catalog, lister, folder).once("nanogpt")
    (file,) = folder.iterdir()
    assert file.name == "nanogpt.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(file.read_bytes())["listings"][0]["as_of"] == "2026-11-21"


@pytest.mark.parametrize(
    "answers",
    [
        None,
        [Listing("nanogpt_detailed", {"error": "Insufficient balance"})],
        [Listing("nanogpt_detailed", {"data": "nonsense"})],
        [],
    ],
)
async def test_a_failure_keeps_what_was_known_in_memory_and_on_disk(
    tmp_path: Path, answers: Any
) -> None:
    catalog, lister = Catalog([NANOGPT], clock=clock), Lister()
    refresh = refresh_of(catalog, lister, tmp_path)
    lister.answers = [listing("nanogpt_detailed", "one")]
    assert await refresh.once("nanogpt")
    lister.answers = answers
    assert await refresh.once("nanogpt") is (answers == [])
    assert offered(catalog) == [("one", "paid")]
    assert len(KeptLists(tmp_path).read("nanogpt")) == 1


async def test_a_list_that_did_not_come_this_time_is_still_the_last_one(tmp_path: Path) -> None:
    catalog, lister = Catalog([NANOGPT], clock=clock), Lister()
    refresh = refresh_of(catalog, lister, tmp_path)
    lister.answers = [
        listing("nanogpt_detailed", "one", "two"),
        listing("nanogpt_subscription", "one"),
    ]
    assert await refresh.once("nanogpt")
    lister.answers = [listing("nanogpt_detailed", "one", "three")]
    assert await refresh.once("nanogpt")
    assert offered(catalog) == [("one", "free"), ("one", "paid"), ("three", "paid")]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"listings":[{"kind":"nanogpt_detailed"}]}', b'{"listings":[7]}', b"\xff"],
)
async def test_a_broken_copy_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "nanogpt.json").write_bytes(content)
    catalog, lister = Catalog([NANOGPT], clock=clock), Lister()
    lister.answers = [listing("nanogpt_detailed", "one")]
    async with refresh_of(catalog, lister, tmp_path) as refresh:
        assert await refresh.once("nanogpt")
    assert offered(catalog) == [("one", "paid")]


async def test_a_folder_that_cannot_be_written_costs_only_the_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    catalog, lister = Catalog([NANOGPT], clock=clock), Lister()
    lister.answers = [listing("nanogpt_detailed", "one")]
    assert await refresh_of(catalog, lister, tmp_path / "file" / "models").once("nanogpt")
    assert offered(catalog) == [("one", "paid")]


async def test_a_surprise_of_one_provider_is_logged_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def surprising() -> Sequence[Listing]:
        raise RuntimeError("nobody thought of this")

    catalog = Catalog([NANOGPT], clock=clock)
    refresh = Refresh(
        catalog, [ListedProvider("nanogpt", surprising)], kept=KeptLists(tmp_path), clock=clock
    )
    assert not await refresh.once("nanogpt")
    assert "provider=nanogpt" in caplog.text

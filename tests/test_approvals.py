"""An approval is used once: by whoever comes first, of all processes on one database."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.approvals import KEPT_FOR, Approvals
from gateway.storage.database import Database


async def test_of_many_who_send_the_same_approval_one_uses_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    async with Database(url) as one, Database(url) as other:
        used = await asyncio.gather(
            *(Approvals(each).use("alice", "call_1") for each in (one, other, one, other))
        )
        assert sorted(used) == [False, False, False, True]
        assert await Approvals(one).use("alice", "call_2")
        assert await Approvals(one).use("bob", "call_1")


async def test_approvals_are_kept_as_long_as_what_they_belong_to(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    async with Database(f"sqlite:///{tmp_path}/gateway.db") as database:
        assert await Approvals(database, clock=lambda: moment).use("alice", "call_1")
        later = moment + KEPT_FOR - timedelta(seconds=1)
        assert not await Approvals(database, clock=lambda: later).use("alice", "call_1")

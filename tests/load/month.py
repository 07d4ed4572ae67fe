"""A month of a gateway, simulated: what our routing costs and how good it is, beside other ways.

    python -m tests.load.month                           10,000 requests, some two minutes
    python -m tests.load.month --requests 2000 --seed 3  quicker, with other requests and luck
    python -m tests.load.month --world 2                 models with other hidden qualities

Requests are texts that people could have written, by day and by night; 12 models of 4 providers
differ in what no catalog tells. Every policy meets the same requests, outages, quotas and budgets,
which are kept by the real ledger on SQLite; ours is the real router, with real evidence. Answers
are simulated: a model answers well with a probability by its hidden ability and the request's
hidden difficulty. Oracles know both; nobody else does. A policy is on the frontier if no other one
(oracles, and ours with a part left out, are not counted) is both cheaper and better.
"""

import argparse
import asyncio
import logging
import math
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from rich.console import Console
from rich.table import Table

from gateway.evidence.evidence import Evidence
from gateway.llm.policy import Priority
from gateway.storage.database import Database
from gateway.usage.ledger import Ledger
from tests.load.month_gateway import FULL_MONTH, Gateway, Picking, Tally, Time, month_limits
from tests.load.month_ours import Ours, Suite, case_suite
from tests.load.month_rivals import oracles, rivals
from tests.load.month_world import START, Asked, World, requests, world

COLUMNS = (
    "policy", "good", "±", "cost $", "of it tests", "good per $", "unanswered", "fell back",
    "p50 s", "limits exceeded", "frontier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run our router; `priority` None is what a request has that says nothing."""

    name: str
    priority: Priority | None = None
    learns: bool = True
    sees_difficulty: bool = True

    @property
    def is_whole(self) -> bool:
        return self.learns and self.sees_difficulty


VARIANTS = (
    Variant("ours, cost (the default)"),
    Variant("ours, quality", "quality"),
    Variant("ours, speed", "speed"),
    Variant("ours, quality, without evidence", "quality", learns=False),
    Variant("ours, quality, without difficulty", "quality", sees_difficulty=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """`is_compared` is false for oracles, and for ours with a part left out."""

    name: str
    requests: int
    tally: Tally
    tests_microusd: int
    exceeded: int
    is_compared: bool

    @property
    def good(self) -> float:
        return self.tally.good / self.requests

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.good * (1 - self.good) / self.requests)

    @property
    def cost_usd(self) -> float:
        return self.tally.cost_microusd / 1e6

    def is_beaten_by(self, other: "Row") -> bool:
        return other.cost_usd < self.cost_usd and other.good > self.good


async def simulated(
    count: int,
    *,
    seed: int,
    number: int = 0,
    variants: Sequence[Variant] = VARIANTS,
    only: Collection[str] | None = None,
) -> Sequence[Row]:
    """All policies side by side, each of them a caller of one ledger.

    `only` names those that are wanted of the other ways to route.
    """
    month, suite = requests(count, seed=seed), case_suite(seed=seed)
    there, time, limits = world(number, seed=seed), Time(), month_limits(count)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = await stack.enter_async_context(Database(f"sqlite:///{folder}/gateway.db"))
        ledger = await stack.enter_async_context(Ledger(database, limits, clock=time))
        policies: dict[str, Picking] = {}
        for variant in variants:
            evidence = await _evidence(stack, f"{folder}/{len(policies)}.db", time)
            policies[variant.name] = _ours(variant, there, evidence, time=time, count=count)
        others = {**rivals(there, month), **oracles(there)}
        policies |= {name: one for name, one in others.items() if only is None or name in only}
        gateways = [
            Gateway(name, picking, there, ledger=ledger, time=time)
            for name, picking in policies.items()
        ]
        tests = await _lived(gateways, month, suite, time=time)
        report = await ledger.report(START, START + timedelta(days=31), group_by=("caller",))
    charged = {line.group["caller"]: line.charged_microusd for line in report}
    left_out = {one.name for one in variants if not one.is_whole} | oracles(there).keys()
    for one in gateways:
        assert charged.get(one.caller, 0) == one.tally.cost_microusd, "the ledger lost a call"
    return [
        Row(
            one.name,
            count,
            one.tally,
            tests[one.name],
            one.tally.exceeded(limits),
            one.name not in left_out,
        )
        for one in gateways
    ]


def _ours(variant: Variant, there: World, evidence: Evidence, *, time: Time, count: int) -> Ours:
    return Ours(
        there,
        clock=time,
        priority=variant.priority,
        evidence=evidence if variant.learns else None,
        sees_difficulty=variant.sees_difficulty,
        share=count / FULL_MONTH,
    )


async def _evidence(stack: AsyncExitStack, path: str, time: Time) -> Evidence:
    """It is refreshed every night, and not by a clock on the wall."""
    database = await stack.enter_async_context(Database(f"sqlite:///{path}"))
    return Evidence(database, clock=time)


async def _lived(
    gateways: Sequence[Gateway], month: Sequence[Asked], suite: Suite, *, time: Time
) -> Mapping[str, int]:
    """Go through the month; what each gateway spent on tests, in micro-dollars."""
    tests = dict.fromkeys((one.name for one in gateways), 0)
    day = -1
    for asked in month:
        while day < (asked.at - START).days:
            day += 1
            time.moment = START + timedelta(days=day)
            spent = await asyncio.gather(*(_night(one, suite, day=day) for one in gateways))
            for one, cost in zip(gateways, spent, strict=True):
                tests[one.name] += cost
        time.moment = asked.at
        # Side by side, so that the ledger writes them in one transaction.
        await asyncio.gather(*(one.answer(asked) for one in gateways))
    return tests


async def _night(gateway: Gateway, suite: Suite, *, day: int) -> int:
    ours = gateway.picking
    return await ours.night(gateway, suite, day=day) if isinstance(ours, Ours) else 0


def frontier(rows: Sequence[Row]) -> frozenset[str]:
    """The names of those that no other policy beats in both cost and quality."""
    compared = [row for row in rows if row.is_compared]
    return frozenset(
        row.name for row in compared if not any(row.is_beaten_by(other) for other in compared)
    )


def table(rows: Sequence[Row], title: str) -> Table:
    shown = Table(*COLUMNS, title=title)
    for column in shown.columns[1:]:
        column.justify = "right"
    on_frontier = frontier(rows)
    for row in rows:
        shown.add_row(*_cells(row, is_on_frontier=row.name in on_frontier))
    return shown


def _cells(row: Row, *, is_on_frontier: bool) -> Sequence[str]:
    tally = row.tally
    return (
        row.name,
        f"{row.good:.1%}",
        f"{row.standard_error:.1%}",
        f"{row.cost_usd:,.2f}",
        f"{row.tests_microusd / 1e6:,.2f}",
        f"{tally.good / row.cost_usd:,.0f}" if row.cost_usd else "all free",
        str(tally.unanswered),
        f"{tally.fell_back / row.requests:.1%}",
        f"{median(tally.seconds):.1f}" if tally.seconds else "",
        str(row.exceeded),
        ("yes" if is_on_frontier else "no") if row.is_compared else "",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=FULL_MONTH)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", type=int, default=0)
    options = parser.parse_args()
    # What the ledger says of each budget that comes near its end would drown the table.
    logging.disable(logging.WARNING)
    rows = asyncio.run(simulated(options.requests, seed=options.seed, number=options.world))
    title = f"{options.requests:,} requests in 30 days, seed {options.seed}, world {options.world}"
    Console(width=170).print(table(rows, title))
    sys.exit(1 if any(row.exceeded for row in rows) else 0)


if __name__ == "__main__":
    main()

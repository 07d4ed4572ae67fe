"""Benchmarks of models: begun within a budget, carried out, gone on with, and reported."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from gateway.benchmarks.asked import AskedTask
from gateway.benchmarks.asking import Asking
from gateway.benchmarks.case import Case, Judged
from gateway.benchmarks.estimating import estimated
from gateway.benchmarks.purse import Purse
from gateway.benchmarks.record import Estimate, Progress, Report, Run, Settings, Status
from gateway.benchmarks.running import OnProgress, Running
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.store import BenchmarkStore
from gateway.benchmarks.suite import shipped_suite
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import InvalidRequest, NotFound, PaymentRequired, PermissionDenied, Refused
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.completion import Completion
from gateway.llm.model import Model
from gateway.llm.provider.memory import loaded_bytes
from gateway.llm.provider.provider import Provider
from gateway.storage.database import Database
from gateway.text import displayable, shown
from gateway.usage.ledger import Ledger
from gateway.usage.limit import dollars
from gateway.usage.report import Column

LAST = "last"
MOST_CALLS = 10_000
MOST_PARALLEL = 16
MOST_ATTEMPTS = 20
PATIENCE_SECONDS = 60.0
SUGGESTED = 3
_MOMENT = timedelta(microseconds=1)


class Benchmarks:
    """Runs cases on models, and keeps what came of it.

    A run is kept before its first call and each result when it is there, so that a run whose
    process was killed can go on where it was. `providers` are asked what memory a model takes.
    """

    def __init__(
        self,
        database: Database,
        completion: Completion,
        catalog: Catalog,
        ledger: Ledger,
        evidence: Evidence,
        *,
        providers: Mapping[str, Provider] | None = None,
        sandbox: Sandbox | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Clock = now,
    ) -> None:
        self._store = BenchmarkStore(database)
        self._completion = completion
        self._catalog = catalog
        self._ledger = ledger
        self._evidence = evidence
        self._providers = providers or {}
        self._sandbox = sandbox or Sandbox()
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._running: set[str] = set()

    def models(self, who: Caller, names: Sequence[str]) -> Sequence[str]:
        """The IDs of models that are named by ID, wire name or alias, each once.

        Raises:
            NotFound: a name is that of no model of a configured provider.
            PermissionDenied: the caller may not use one.
        """
        return tuple(dict.fromkeys(self._model(who, name).id for name in names))

    def free_models(self, who: Caller, most: int) -> Sequence[str]:
        """Those that cost nothing: the configured ones first, then local ones, then the newest."""
        listed = self._completion.policy.free_models

        def rank(model: Model) -> tuple[int, bool, int, str]:
            places = [listed.index(name) for name in (model.id, model.name) if name in listed]
            released = model.released.toordinal() if model.released else 0
            return (min(places, default=len(listed)), not model.is_local, -released, model.id)

        free = [one for one in self._catalog.callable_models if _is_free_to_chat(one, who)]
        return tuple(dict.fromkeys(one.id for one in sorted(free, key=rank)))[:most]

    def understood(self, who: Caller, asked: AskedTask) -> AskedTask:
        """With the kind of task, and how hard it is, that the router takes it for."""
        return asked.told(self._completion.plan(who, asked.request, asked.hints).features)

    def estimate(self, who: Caller, settings: Settings) -> Estimate:
        """What it would cost now; nothing is called."""
        return estimated(self._completion, who, settings)

    async def begin(self, who: Caller, settings: Settings, name: str) -> Run:
        """Keep a run that `carry_out` then carries out.

        Raises:
            InvalidRequest: there is nothing to ask, or too much, or no judge for what needs one.
            NotFound, PermissionDenied: as `models` does.
            PaymentRequired: it may cost money, and has no budget; the message says how much.
        """
        _check(settings)
        named = (*settings.models, *([settings.judge] if settings.judge else []))
        for model in named:
            self._model(who, model)
        _check_budget(settings, self.estimate(who, settings))
        started = self._clock()
        run = Run(
            id=_new_id(started),
            name=displayable(name),
            caller=who.name,
            started=started,
            ended=None,
            status="running",
            settings=settings,
        )
        await self._store.add(run)
        return run

    async def resume(self, who: Caller, run_id: str, *, budget_microusd: int | None = None) -> Run:
        """A run that did not come to its end, to be carried out from where it was.

        A new budget replaces the one it had; what it has spent so far counts.

        Raises:
            NotFound: there is no such run of this caller.
            Refused: it has all its results, or goes on already.
        """
        report = await self.report(who, run_id)
        run = report.run
        if run.id in self._running:
            raise Refused(f"benchmark {run.id} goes on already")
        if report.is_whole:
            raise Refused(f"benchmark {run.id} has all its results; nothing is missing")
        settings = run.settings
        if budget_microusd is not None:
            settings = replace(settings, budget_microusd=budget_microusd)
        return await self._store.change(run, "running", ended=None, settings=settings)

    async def carry_out(
        self, who: Caller, run: Run, on_progress: OnProgress | None = None
    ) -> Report:
        """Ask all that has no result yet; whoever is cancelled leaves a run that can go on.

        Raises:
            Refused: it goes on already.
            GatewayError: a result could not be kept; the run can go on later.
        """
        if run.id in self._running:
            raise Refused(f"benchmark {run.id} goes on already")
        self._running.add(run.id)
        status: Status = "stopped"
        try:
            running = self._made(who, run)
            known = {one.key: one for one in await self._store.results(run.id)}
            await running.go_on(known, on_progress or _nobody)
            status = "over_budget" if running.left_out else "done"
        finally:
            self._running.discard(run.id)
            ending = asyncio.ensure_future(self._store.change(run, status, ended=self._clock()))
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        return await self.report(who, run.id)

    async def report(self, who: Caller, run_id: str = LAST) -> Report:
        """The run with its results; `last` is the latest.

        Raises:
            NotFound: there is no such run of this caller; an owner sees those of all.
        """
        whose = None if who.is_owner else who.name
        latest = await self._store.runs(SUGGESTED, caller=whose)
        run = await self._store.run(run_id) if run_id != LAST else next(iter(latest), None)
        if run is None or whose not in (None, run.caller):
            missing = (
                "no benchmark has been run yet"
                if run_id == LAST
                else f"there is no benchmark {shown(run_id)!r}"
            )
            raise NotFound(missing, suggestions=[one.id for one in latest])
        return Report(run, await self._store.results(run.id), await self._spent_of(run))

    async def reports(self, who: Caller, most: int = 20) -> Sequence[Report]:
        """The latest first; an owner sees those of all callers."""
        runs = await self._store.runs(most, caller=None if who.is_owner else who.name)
        results = await self._store.results(*(run.id for run in runs))
        return [
            Report(
                run,
                [one for one in results if one.run_id == run.id],
                await self._spent_of(run),
            )
            for run in runs
        ]

    def _made(self, who: Caller, run: Run) -> Running:
        purse = Purse(run.settings.budget_microusd, partial(self._committed, run))
        asking = Asking(
            self._completion,
            who,
            purse,
            patience_seconds=self._patience_seconds,
            clock=self._clock,
        )
        shipped = frozenset(case.id for case in shipped_suite() if case in run.settings.cases)
        return Running(
            run,
            asking=asking,
            store=self._store,
            sandbox=self._sandbox,
            evidence=self._evidence,
            memory=self._memory,
            spent=partial(self._spent, run),
            # Whoever writes the checks could make any model look bad to all.
            counts=lambda case: who.is_owner or case.id in shipped,
            is_local=self._is_local,
            clock=self._clock,
        )

    def _is_local(self, model_id: str) -> bool:
        model = self._catalog.get(model_id)
        return model is not None and model.is_local

    async def _memory(self, model_id: str) -> int | None:
        model = self._catalog.get(model_id)
        provider = self._providers.get(model.provider) if model and model.is_local else None
        return await loaded_bytes(provider, model) if provider and model else None

    async def _committed(self, run: Run) -> int:
        """Read in this order, so that what is settled meanwhile is counted twice, not never."""
        held = await self._store.held_microusd(run.id)
        return held + await self._spent(run)

    async def _spent(self, run: Run) -> int:
        return await self._spent_of(run) or 0

    async def _spent_of(self, run: Run) -> int | None:
        """What the ledger charged for it; None where that is not known of any call."""
        # All its calls began between these two; a call counts when it began.
        until = (run.ended or self._clock()) + _MOMENT
        where: Mapping[Column, str] = {"request_id": run.id}
        lines = await self._ledger.report(run.started, until, where=where)
        return lines[0].charged_microusd if lines else 0

    def _model(self, who: Caller, name: str) -> Model:
        ids = {one.id for one in self._catalog.callable_models}
        named = [one for one in self._catalog.named(name) if one.id in ids]
        if not named:
            raise NotFound(
                f"no configured provider has a model {shown(name)!r}",
                suggestions=self._catalog.near(name)[:SUGGESTED],
            )
        if not who.may_use_model(named[0].id):
            raise PermissionDenied(f"the key of {who.name!r} may not use {named[0].id}")
        return named[0]


def _new_id(started: datetime) -> str:
    """Such as `20261121-020000-1231a`: to the millisecond, and then by chance."""
    milliseconds = started.microsecond // 1000
    return f"{started:%Y%m%d-%H%M%S}-{milliseconds:03d}{secrets.token_hex(1)}"


async def _nobody(_: Progress) -> None:
    """Nobody wants to know how far it is."""


def _check(settings: Settings) -> None:
    if not settings.cases:
        raise InvalidRequest("a benchmark needs at least one case")
    if not settings.models:
        raise InvalidRequest(
            "no model was named, and no free one can be called; name models, and a budget for "
            "those that cost money"
        )
    ids = [case.id for case in settings.cases]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise InvalidRequest(f"two cases have the ID {shown(min(twice))!r}; name each its own")
    for name, value, most in (
        ("runs", settings.attempts, MOST_ATTEMPTS),
        ("parallel", settings.parallel, MOST_PARALLEL),
    ):
        if not 1 <= value <= most:
            raise InvalidRequest(f"{name} is {value}; it takes 1 to {most}")
    if settings.count > MOST_CALLS:
        raise InvalidRequest(
            f"{settings.count:,} calls are too many; take fewer cases, models or runs, so that "
            f"there are at most {MOST_CALLS:,}"
        )
    if settings.budget_microusd is not None and settings.budget_microusd < 0:
        raise InvalidRequest("a budget is no less than $0")
    if settings.judge is None and (opinions := _need_a_judge(settings.cases)):
        raise InvalidRequest(
            f"{', '.join(map(shown, opinions[:SUGGESTED]))} can only be judged by a model; name "
            "one as the judge"
        )


def _need_a_judge(cases: Sequence[Case]) -> list[str]:
    return [case.id for case in cases if isinstance(case.check, Judged)]


def _check_budget(settings: Settings, estimate: Estimate) -> None:
    if not estimate.paid:
        return
    if estimate.unpriced:
        raise PaymentRequired(
            f"what {', '.join(estimate.unpriced)} costs is not known, so no budget can bound it; "
            "give it a price in models.yaml, or leave it out"
        )
    if settings.budget_microusd is None:
        assert estimate.expected_microusd is not None
        assert estimate.worst_microusd is not None
        raise PaymentRequired(
            f"{', '.join(estimate.paid)} may cost money: about "
            f"{dollars(estimate.expected_microusd)}, at most {dollars(estimate.worst_microusd)} "
            f"for {estimate.calls:,} calls; allow it with a budget"
        )


def _is_free_to_chat(model: Model, who: Caller) -> bool:
    is_chat = model.output_modalities == {"text"} and "text" in model.input_modalities
    return model.tier == "free" and is_chat and who.may_use_model(model.id)

"""Benchmarks of models: begun within a budget, carried out, gone on with, and reported."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from gateway.benchmarks.asked import AskedTask
from gateway.benchmarks.asking import Asking
from gateway.benchmarks.bounds import check_bounds
from gateway.benchmarks.estimating import check_budget, estimated
from gateway.benchmarks.lease import LEASE_SECONDS, Lease, goes_on_already
from gateway.benchmarks.purse import Purse
from gateway.benchmarks.quotas import check_quotas
from gateway.benchmarks.record import Estimate, Progress, Report, Run, Settings, Status, Summary
from gateway.benchmarks.running import OnProgress, Running
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.store import BenchmarkStore
from gateway.benchmarks.sums import Count
from gateway.benchmarks.teaching import Teaching
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import NotFound, PermissionDenied, Refused
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.completion import Completion
from gateway.llm.features import features
from gateway.llm.model import Model
from gateway.llm.provider.memory import loaded_bytes
from gateway.llm.provider.provider import Provider
from gateway.storage.database import Database
from gateway.text import displayable, shown
from gateway.usage.ledger import Ledger
from gateway.usage.report import Column

LAST = "last"
# Of one caller; the oldest that ended go first.
MOST_KEPT = 200
# Of one caller who is no owner.
MOST_AT_ONCE = 2
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
        lease_seconds: float = LEASE_SECONDS,
        clock: Clock = now,
    ) -> None:
        self._store = BenchmarkStore(database)
        self._lease = Lease(database, seconds=lease_seconds, clock=clock)
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

    def is_free(self, model_id: str) -> bool:
        model = self._catalog.get(model_id)
        return model is not None and model.tier != "paid"

    def understood(self, asked: AskedTask) -> AskedTask:
        """With the kind of task, and how hard it is, that the router takes it for."""
        return asked.told(features(asked.request, complexity=asked.hints.complexity))

    async def estimate(self, who: Caller, settings: Settings) -> Estimate:
        """What it would cost now; nothing is called.

        Raises:
            InvalidRequest: there is nothing to ask, or too much, or no judge for what needs one.
        """
        check_bounds(settings)
        return await estimated(self._completion, who, settings)

    async def begin(self, who: Caller, settings: Settings, name: str) -> Run:
        """Keep a run that `carry_out` then carries out.

        Raises:
            InvalidRequest: there is nothing to ask, or too much, or no judge for what needs one.
            NotFound, PermissionDenied: as `models` does.
            PaymentRequired: it may cost money, and has no budget; the message says how much.
            Refused: it would take too much of a free quota that is not this caller's alone.
        """
        models = self._all_models(who, settings)
        check_budget(settings, await self.estimate(who, settings))
        if not who.is_owner:
            check_quotas(self._ledger, who, settings, models)
        started = self._clock()
        run = Run(
            id=_new_id(started),
            name=displayable(name),
            caller=who.name,
            started=started,
            ended=None,
            status="running",
            settings=settings,
            is_owners=who.is_owner,
        )
        await self._store.add(run, most=MOST_KEPT, oldest_beat=self._lease.oldest_beat)
        return run

    async def resume(self, who: Caller, run_id: str, *, budget_microusd: int | None = None) -> Run:
        """A run that did not come to its end, to be carried out from where it was.

        A new budget replaces the one it had; what it has spent so far counts.

        Raises:
            NotFound: there is no such run of this caller, or one of its models is gone.
            PermissionDenied: the caller may not use one of its models, or not any more.
            Refused: it has all its results, or goes on already.
        """
        report = await self.report(who, run_id)
        run = report.run
        if run.id in self._running or await self._lease.is_held(run.id):
            raise goes_on_already(run.id)
        self._all_models(who, run.settings)
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
            Refused: it goes on already, perhaps in another process.
            RateLimited: as many of this caller's go on as may at once.
            GatewayError: a result could not be kept; the run can go on later.
        """
        if run.id in self._running:
            raise goes_on_already(run.id)
        self._running.add(run.id)
        try:
            await self._lease.take(run, most_at_once=None if who.is_owner else MOST_AT_ONCE)
            await self._carried_out(who, run, on_progress or _nobody)
        finally:
            self._running.discard(run.id)
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
            raise NotFound(missing, what="benchmark", suggestions=[one.id for one in latest])
        return Report(run, await self._store.results(run.id), await self._spent_of(run))

    async def summaries(self, who: Caller, most: int = 20) -> Sequence[Summary]:
        """The latest first; an owner sees those of all callers."""
        runs = await self._store.runs(most, caller=None if who.is_owner else who.name)
        counts = await self._store.counts(*(run.id for run in runs))
        return [await self._summary(run, counts.get(run.id, Count())) for run in runs]

    async def qualities(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """By run and model, the mean over the cases that were judged."""
        return await self._store.qualities(*run_ids)

    async def _summary(self, run: Run, count: Count) -> Summary:
        is_over = run.status in ("done", "over_budget")
        # Of one that was cut off, calls may have been settled since.
        kept = run.spent_microusd if is_over else None
        spent = await self._spent_of(run) if kept is None else kept
        return Summary(run, count.done, count.failed, spent)

    async def _carried_out(self, who: Caller, run: Run, tell: OnProgress) -> None:
        spent = partial(self._spent, run, self._clock())
        status: Status = "stopped"
        try:
            async with self._lease.kept(run.id) as renew:
                running = self._made(who, run, spent=spent, renew=renew)
                every = await self._store.results(run.id)
                await running.go_on({one.key: one for one in every if one.is_final}, tell)
                status = "over_budget" if running.left_out else "done"
        finally:
            ending = asyncio.ensure_future(self._left(run, status, spent))
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)

    async def _left(self, run: Run, status: Status, spent: Callable[[], Awaitable[int]]) -> None:
        """What it has spent is kept with it: the ledger forgets."""
        await self._store.leave(
            run,
            status,
            ended=self._clock(),
            spent_microusd=await spent(),
            holder=self._lease.holder,
        )

    def _made(
        self,
        who: Caller,
        run: Run,
        *,
        spent: Callable[[], Awaitable[int]],
        renew: Callable[[], Awaitable[None]],
    ) -> Running:
        purse = Purse(run.settings.budget_microusd, partial(self._committed, run, spent))
        asking = Asking(
            self._completion,
            # On the account of whoever began it, also when an owner goes on with it.
            replace(who, name=run.caller),
            purse,
            patience_seconds=self._patience_seconds,
            clock=self._clock,
        )
        return Running(
            run,
            asking=asking,
            store=self._store,
            sandbox=self._sandbox,
            teaching=Teaching(run, self._evidence),
            memory=self._memory,
            spent=spent,
            renew=renew,
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

    async def _committed(self, run: Run, spent: Callable[[], Awaitable[int]]) -> int:
        """Read in this order, so that what is settled meanwhile is counted twice, not never."""
        held = await self._store.held_microusd(run)
        return held + await spent()

    async def _spent(self, run: Run, since: datetime) -> int:
        """Of a run that goes on since then.

        The ledger may have forgotten what it spent before that.
        """
        before = run.spent_microusd or 0
        now_spent = await self._charged(run, since) if before else 0
        return max(await self._spent_of(run) or 0, before + (now_spent or 0))

    async def _spent_of(self, run: Run) -> int | None:
        """What the ledger charged for it; None where that is not known of any call."""
        charged = await self._charged(run, run.started)
        if run.spent_microusd is None:
            return charged
        return max(charged or 0, run.spent_microusd)

    async def _charged(self, run: Run, since: datetime) -> int | None:
        # All its calls began between these two; a call counts when it began.
        until = (run.ended or self._clock()) + _MOMENT
        where: Mapping[Column, str] = {"request_id": run.id, "caller": run.caller}
        lines = await self._ledger.report(since, until, where=where)
        return lines[0].charged_microusd if lines else 0

    def _all_models(self, who: Caller, settings: Settings) -> Sequence[Model]:
        named = (*settings.models, *([settings.judge] if settings.judge else []))
        return [self._model(who, name) for name in named]

    def _model(self, who: Caller, name: str) -> Model:
        ids = {one.id for one in self._catalog.callable_models}
        named = [one for one in self._catalog.named(name) if one.id in ids]
        if not named:
            raise NotFound(
                f"no configured provider has a model {shown(name)!r}",
                what="model",
                suggestions=self._catalog.near(name)[:SUGGESTED],
            )
        if not who.may_use_model(named[0].id):
            raise PermissionDenied(f"the key of {who.name!r} may not use {named[0].id}")
        return named[0]


def _new_id(started: datetime) -> str:
    """Such as `20261121-020000-1231a2b3c4d`: to the millisecond, and then by chance."""
    milliseconds = started.microsecond // 1000
    return f"{started:%Y%m%d-%H%M%S}-{milliseconds:03d}{secrets.token_hex(4)}"


async def _nobody(_: Progress) -> None:
    """Nobody wants to know how far it is."""


def _is_free_to_chat(model: Model, who: Caller) -> bool:
    is_chat = model.output_modalities == {"text"} and "text" in model.input_modalities
    return model.tier == "free" and is_chat and who.may_use_model(model.id)

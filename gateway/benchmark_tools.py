"""Benchmarks as tools: how models do at the user's own tasks, and at a few of ours."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway import caller
from gateway.benchmarks.asked import (
    BUDGET_SCHEMA,
    RUNS_SCHEMA,
    TASK_PROPERTIES,
    TASK_REQUIRED,
    AskedTask,
    budget_microusd,
    read_task,
)
from gateway.benchmarks.bounds import MOST_BUDGET_USD
from gateway.benchmarks.choosing import chosen
from gateway.benchmarks.estimating import check_budget, cost_words
from gateway.benchmarks.record import Estimate, Progress, Report, Run, Settings
from gateway.benchmarks.runner import Benchmarks
from gateway.benchmarks.suite import shipped_suite
from gateway.benchmarks.tool_answers import REPORT, RESULTS, TEXT, results, told
from gateway.caller import Caller
from gateway.errors import InvalidRequest, PaymentRequired, Refused
from gateway.llm.completion import Completion
from gateway.llm.model import Model, Tier
from gateway.llm.tool_answers import record
from gateway.llm.tool_frame import arguments_schema, spender
from gateway.text import shown
from gateway.tools import progress
from gateway.tools.tool import Answer, Arguments, Effect, Tool

MOST_TASKS = 20
MOST_PARALLEL = 8
MOST_FREE_MODELS = 10
MOST_CASES = 20
USUAL_FREE_MODELS = 3
USUAL_CASES = 6
USUAL_PARALLEL = 3
# Whoever names a paid model agrees to what it may cost, up to this; a budget allows more.
MOST_WITHOUT_BUDGET_MICROUSD = 1_000_000
# Less than what follows, so that what is there by then is answered.
ANSWER_SECONDS = 570.0
DEADLINE_SECONDS = 600.0
_BUDGET_SCHEMA: Mapping[str, Any] = {
    **BUDGET_SCHEMA,
    "maximum": MOST_BUDGET_USD,
    "description": (
        "US dollars that all of it may cost at most; else what named paid models may cost, and "
        "at most $1."
    ),
}
_BEST: Mapping[Tier, str] = {"free": "auto:free:best", "paid": "auto:best"}


class BenchmarkTools:
    """Each run is its caller's own: its models, its limits, and its lines in the ledger.

    Whoever may not spend sees none of them.
    """

    def __init__(
        self,
        benchmarks: Benchmarks,
        completion: Completion,
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._benchmarks = benchmarks
        self._completion = completion
        self._answer_seconds = answer_seconds
        self._tools = (self._task_tool(), self._tasks_tool(), self._free_models_tool())

    async def tools(self) -> Sequence[Tool]:
        return self._tools if caller.current().may_spend else ()

    async def task(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `Benchmarks.begin` does; what a model raises is an outcome.
        """
        who = spender()
        asked = self._read(who, arguments)
        plan = await self._plan(who, [asked], parallel=1, budget=arguments.get("budget_usd"))
        [report] = await self._carried_out(who, plan)
        return Answer({"task_id": asked.task.case.id, **told(report)})

    async def tasks(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `task` does.
        """
        who = spender()
        count = len(arguments["tasks"])
        if not 1 <= count <= MOST_TASKS:
            raise InvalidRequest(f"tasks has {count} of them; it takes 1 to {MOST_TASKS}")
        ids = [one["task_id"] for one in arguments["tasks"]]
        if twice := {one for one in ids if ids.count(one) > 1}:
            raise InvalidRequest(f"two tasks have the task_id {shown(min(twice))!r}")
        asked = [self._read(who, one) for one in arguments["tasks"]]
        is_parallel = arguments.get("parallel", True)
        most = int(arguments.get("max_parallel_tasks", USUAL_PARALLEL))
        parallel = most if is_parallel else 1
        plan = await self._plan(who, asked, parallel=parallel, budget=arguments.get("budget_usd"))
        reports = await self._carried_out(who, plan)
        return Answer({"benchmarks": [{**told(one), "results": results(one)} for one in reports]})

    async def free_models(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: this caller may use no free model.
        """
        who = spender()
        most = int(arguments.get("max_models", USUAL_FREE_MODELS))
        models = self._benchmarks.free_models(who, most)
        if not models:
            raise Refused("there is no free model that you may use; configure a provider with some")
        settings = Settings(
            chosen(shipped_suite(), most=int(arguments.get("max_cases", USUAL_CASES))),
            tuple(models),
            attempts=int(arguments.get("runs_per_task", 1)),
            parallel=USUAL_PARALLEL,
        )
        plan = _Plan([_Planned("free models", settings)])
        [report] = await self._carried_out(who, plan)
        return Answer(told(report))

    def _read(self, who: Caller, arguments: Arguments) -> "_Asked":
        """Raises:
        InvalidRequest: a model that may cost money is named as the local one.
        """
        task = self._benchmarks.understood(read_task(arguments, may_run_code=who.is_owner))
        local, paid = (
            self._benchmarks.models(who, [arguments[name]] if arguments.get(name) else [])
            for name in ("local_model", "paid_model")
        )
        for one in local:
            if one not in paid and not self._benchmarks.is_free(one):
                raise InvalidRequest(f"{one} may cost money: name it as paid_model")
        return _Asked(task, tuple(dict.fromkeys([*local, *paid])), frozenset(paid))

    async def _plan(
        self, who: Caller, asked: Sequence["_Asked"], *, parallel: int, budget: float | None
    ) -> "_Plan":
        """Tasks for the same models are one run.

        Raises:
            PaymentRequired: it may cost money that nobody allowed.
        """
        runs: dict[tuple[tuple[str, ...], int], list[_Asked]] = {}
        for one in asked:
            models = one.models or self._best_models(who, one.task)
            runs.setdefault((models, one.task.runs), []).append(one)
        allowed = None if budget is None else _microusd(budget)
        planned, worst_microusd = [], 0
        for (models, attempts), tasks in runs.items():
            cases = tuple(one.task.case for one in tasks)
            settings = Settings(cases, models, attempts, parallel)
            estimate = await self._benchmarks.estimate(who, settings)
            settings = replace(settings, budget_microusd=0 if estimate.paid else None)
            check_budget(settings, estimate)
            if allowed is None:
                _check_agreed(estimate, frozenset.intersection(*(one.agreed for one in tasks)))
            worst_microusd += estimate.worst_microusd or 0
            name = " and ".join(case.id for case in cases[:3])
            planned.append(_Planned(name, settings))
        if allowed is None:
            allowed = min(worst_microusd, MOST_WITHOUT_BUDGET_MICROUSD)
        return _Plan(planned, allowed)

    def _best_models(self, who: Caller, asked: AskedTask) -> tuple[str, ...]:
        """The best free one, and the best paid one of what may be paid."""
        best = [self._best(who, asked, tier) for tier in _BEST]
        models = tuple(one.id for one in best if one is not None)
        if not models:
            raise Refused(
                "no model was named, and there is no free one that you may use now; name one as "
                "local_model or paid_model"
            )
        return models

    def _best(self, who: Caller, asked: AskedTask, tier: Tier) -> Model | None:
        request = replace(asked.request, model=_BEST[tier])
        steps = self._completion.plan(who, request, asked.hints).steps
        fitting = (step.model for step in steps if step.model.tier == tier)
        return next((one for one in fitting if asked.fits(one)), None)

    async def _carried_out(self, who: Caller, plan: "_Plan") -> Sequence[Report]:
        """One after the other, each with what those before it have left of the budget."""
        # Those that the time does not suffice for have no budget of their own.
        runs = [await self._benchmarks.begin(who, one.settings, one.name) for one in plan.runs]
        reports: list[Report] = []
        try:
            async with asyncio.timeout(self._answer_seconds) as deadline:
                for run in runs:
                    funded = _funded(run, plan.budget_microusd, reports)
                    reports.append(await self._carry_out(who, funded, reports, runs))
        except TimeoutError:
            if not deadline.expired():
                raise
        rest = runs[len(reports) :]
        return [*reports, *[await self._benchmarks.report(who, run.id) for run in rest]]

    async def _carry_out(
        self, who: Caller, run: Run, before: Sequence[Report], runs: Sequence[Run]
    ) -> Report:
        total = sum(one.settings.count for one in runs)
        done = sum(one.run.settings.count for one in before)

        async def tell(now: Progress) -> None:
            words = "" if now.last is None else f"{now.last.model}: {now.last.outcome}"
            await progress.tell(done + now.done, total, words or None)

        return await self._benchmarks.carry_out(who, run, tell)

    def _task_tool(self) -> Tool:
        return Tool(
            name="benchmark_task",
            title="Benchmark models on a task",
            description=(
                "Use this when the user wants to know how models do at a task of their own: it "
                "asks each model, and tells quality (where a check is given), times, tokens "
                "and cost. Without names it takes the best free model, and the best paid one "
                "where money may be spent, which takes budget_usd. It may spend money: what a "
                "named paid model costs, up to $1, or budget_usd. Later routing learns from the "
                "results."
            ),
            input_schema=arguments_schema(
                {**TASK_PROPERTIES, "budget_usd": _BUDGET_SCHEMA}, required=TASK_REQUIRED
            ),
            output_schema=record({"task_id": TEXT, **REPORT}),
            call=self.task,
            effect=Effect.WRITE,
            is_open_world=True,
            spends=True,
            deadline_seconds=DEADLINE_SECONDS,
        )

    def _tasks_tool(self) -> Tool:
        one = arguments_schema(TASK_PROPERTIES, required=TASK_REQUIRED)
        return Tool(
            name="benchmark_tasks",
            title="Benchmark models on several tasks",
            description=(
                f"Use this when the user wants to know how models do at up to {MOST_TASKS} tasks "
                "of their own, one after another or side by side; each is as benchmark_task takes "
                "it. It may spend money, within the user's limits."
            ),
            input_schema=arguments_schema(
                {
                    "tasks": {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_TASKS},
                    "parallel": {
                        "type": "boolean",
                        "description": "Whether several are asked at once; true.",
                    },
                    "max_parallel_tasks": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MOST_PARALLEL,
                        "description": f"How many at once; {USUAL_PARALLEL}.",
                    },
                    "budget_usd": _BUDGET_SCHEMA,
                },
                required=("tasks",),
            ),
            output_schema=record(
                {
                    "benchmarks": {
                        "type": "array",
                        "items": record({**REPORT, "results": RESULTS}),
                    }
                }
            ),
            call=self.tasks,
            effect=Effect.WRITE,
            is_open_world=True,
            spends=True,
            deadline_seconds=DEADLINE_SECONDS,
        )

    def _free_models_tool(self) -> Tool:
        def count(most: int, words: str) -> Mapping[str, Any]:
            return {"type": "integer", "minimum": 1, "maximum": most, "description": words}

        return Tool(
            name="benchmark_free_models",
            title="Benchmark the free models",
            description=(
                "Use this when the user wants to know which of their free models are good: it "
                "asks a few of them a few questions of the gateway's own, whose answers are "
                "checked. It costs no money, but calls of free quotas."
            ),
            input_schema=arguments_schema(
                {
                    "max_models": count(MOST_FREE_MODELS, f"How many models; {USUAL_FREE_MODELS}."),
                    "max_cases": count(MOST_CASES, f"How many questions; {USUAL_CASES}."),
                    "runs_per_task": RUNS_SCHEMA,
                }
            ),
            output_schema=record(REPORT),
            call=self.free_models,
            effect=Effect.WRITE,
            is_open_world=True,
            spends=True,
            deadline_seconds=DEADLINE_SECONDS,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The models that are named, and which of them were named as ones that may cost money."""

    task: AskedTask
    models: tuple[str, ...]
    agreed: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Planned:
    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Plan:
    """Runs with one budget for all of them; those that are free need none."""

    runs: Sequence[_Planned]
    budget_microusd: int = 0


def _funded(run: Run, budget_microusd: int, before: Sequence[Report]) -> Run:
    """With what these have left of the budget."""
    if run.settings.budget_microusd is None:
        return run
    left = max(budget_microusd - sum(one.spent_microusd or 0 for one in before), 0)
    return replace(run, settings=replace(run.settings, budget_microusd=left))


def _check_agreed(estimate: Estimate, named: frozenset[str]) -> None:
    unnamed = [one for one in estimate.paid if one not in named]
    if unnamed:
        raise PaymentRequired(
            f"{cost_words(estimate)}; allow it with budget_usd, name {' and '.join(unnamed)} as "
            "paid_model, or name a free local_model alone"
        )


def _microusd(usd: float) -> int:
    if not math.isfinite(usd):
        raise InvalidRequest(f"budget_usd is {usd}; it takes 0 to {MOST_BUDGET_USD:,} US dollars")
    return budget_microusd(usd)

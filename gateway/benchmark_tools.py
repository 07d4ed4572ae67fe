"""Benchmarks as tools: how models do at the user's own tasks, and at a few of ours."""

import asyncio
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
from gateway.benchmarks.case import Case
from gateway.benchmarks.choosing import chosen
from gateway.benchmarks.record import Progress, Report, Settings
from gateway.benchmarks.runner import Benchmarks
from gateway.benchmarks.suite import shipped_suite
from gateway.benchmarks.tool_answers import REPORT, RESULTS, TEXT, results, told
from gateway.caller import Caller
from gateway.errors import InvalidRequest, Refused, Unauthenticated
from gateway.llm.completion import Completion
from gateway.llm.model import Model, Tier
from gateway.llm.tool_answers import record
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
# Less than what follows, so that what is there by then is answered.
ANSWER_SECONDS = 570.0
DEADLINE_SECONDS = 600.0
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
        who = _spender()
        asked = self._read(who, arguments)
        plan = self._plan(who, [asked], parallel=1, budget=arguments.get("budget_usd"))
        [report] = await self._carried_out(who, plan)
        return Answer({"task_id": asked.case.id, **told(report)})

    async def tasks(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `task` does.
        """
        who = _spender()
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
        plan = self._plan(who, asked, parallel=parallel, budget=arguments.get("budget_usd"))
        reports = await self._carried_out(who, plan)
        return Answer({"benchmarks": [{**told(one), "results": results(one)} for one in reports]})

    async def free_models(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: this caller may use no free model.
        """
        who = _spender()
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
        [report] = await self._carried_out(who, [_Planned("free models", settings)])
        return Answer(told(report))

    def _read(self, who: Caller, arguments: Arguments) -> AskedTask:
        return self._benchmarks.understood(who, read_task(arguments, may_run_code=who.is_owner))

    def _plan(
        self, who: Caller, asked: Sequence[AskedTask], *, parallel: int, budget: float | None
    ) -> Sequence["_Planned"]:
        """Tasks for the same models are one run."""
        runs: dict[tuple[tuple[str, ...], int], list[Case]] = {}
        for one in asked:
            models = self._models(who, one)
            runs.setdefault((models, one.runs), []).append(one.case)
        planned = []
        for (models, attempts), cases in runs.items():
            settings = Settings(tuple(cases), models, attempts, parallel)
            estimate = self._benchmarks.estimate(who, settings)
            # Whoever names a paid model agrees to what it may cost.
            allowed = estimate.worst_microusd if budget is None else budget_microusd(budget)
            is_paid = bool(estimate.paid)
            settings = replace(settings, budget_microusd=allowed if is_paid else None)
            planned.append(_Planned(" and ".join(case.id for case in cases[:3]), settings))
        return planned

    def _models(self, who: Caller, asked: AskedTask) -> tuple[str, ...]:
        """Those that are named; or the best free one, and the best paid one of what may be paid."""
        named = self._benchmarks.models(who, asked.models)
        if named:
            return tuple(named)
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

    async def _carried_out(self, who: Caller, planned: Sequence["_Planned"]) -> Sequence[Report]:
        total = sum(one.settings.count for one in planned)
        runs = [await self._benchmarks.begin(who, one.settings, one.name) for one in planned]
        before = 0

        async def tell(now: Progress) -> None:
            words = "" if now.last is None else f"{now.last.model}: {now.last.outcome}"
            await progress.tell(before + now.done, total, words or None)

        try:
            async with asyncio.timeout(self._answer_seconds) as deadline:
                for run in runs:
                    await self._benchmarks.carry_out(who, run, tell)
                    before += run.settings.count
        except TimeoutError:
            if not deadline.expired():
                raise
        return [await self._benchmarks.report(who, run.id) for run in runs]

    def _task_tool(self) -> Tool:
        return Tool(
            name="benchmark_task",
            title="Benchmark models on a task",
            description=(
                "Use this when the user wants to know how models do at a task of their own: it "
                "asks each model, and tells quality (where a check is given), times, tokens "
                "and cost. Without names it takes the best free model, and the best paid one "
                "where money may be spent. It may spend money: what a named paid model costs, "
                "within the user's limits. Later routing learns from the results."
            ),
            input_schema=_arguments(
                {**TASK_PROPERTIES, "budget_usd": BUDGET_SCHEMA}, required=TASK_REQUIRED
            ),
            output_schema=record({"task_id": TEXT, **REPORT}),
            call=self.task,
            effect=Effect.WRITE,
            is_open_world=True,
            spends=True,
            deadline_seconds=DEADLINE_SECONDS,
        )

    def _tasks_tool(self) -> Tool:
        one = _arguments(TASK_PROPERTIES, required=TASK_REQUIRED)
        return Tool(
            name="benchmark_tasks",
            title="Benchmark models on several tasks",
            description=(
                f"Use this when the user wants to know how models do at up to {MOST_TASKS} tasks "
                "of their own, one after another or side by side; each is as benchmark_task takes "
                "it. It may spend money, within the user's limits."
            ),
            input_schema=_arguments(
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
                    "budget_usd": BUDGET_SCHEMA,
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
            input_schema=_arguments(
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
class _Planned:
    name: str
    settings: Settings


def _arguments(properties: Mapping[str, Any], *, required: Sequence[str] = ()) -> Mapping[str, Any]:
    optional = [name for name in properties if name not in required]
    return {**record(properties, optional=optional), "additionalProperties": False}


def _spender() -> Caller:
    """Raises:
    Unauthenticated: who asks may not spend.
    """
    who = caller.current()
    if not who.may_spend:
        raise Unauthenticated(
            "benchmarks call models, which takes a key of this gateway; send it as "
            "'Authorization: Bearer gw_…'"
        )
    return who

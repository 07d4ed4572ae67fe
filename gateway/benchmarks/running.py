"""One run in progress: every turn that has no result yet is asked, judged, kept and told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from gateway import request_id
from gateway.benchmarks.asking import Asking, Said
from gateway.benchmarks.case import Ask, Case, Unchecked, Verdict
from gateway.benchmarks.checks import verdict
from gateway.benchmarks.purse import OverBudget
from gateway.benchmarks.record import EMPTY, Progress, Result, Run, Turn
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.store import BenchmarkStore
from gateway.clock import Clock
from gateway.errors import GatewayError, Unavailable
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation
from gateway.llm.completion import Hints
from gateway.llm.messages import ChatRequest, Message, Text

logger = logging.getLogger(__name__)

OnProgress = Callable[[Progress], Awaitable[None]]
# By the ID of a model, the memory that it takes now; None where nobody says.
MemoryOf = Callable[[str], Awaitable[int | None]]

JUDGE_TOKENS = 2_048
OPINION_WEIGHT = 0.5
# What is not judged says as little of a model as what no model answered.
UNJUDGED = Verdict(None, "", "")


def request_of(case: Case, model: str) -> ChatRequest:
    system = [Message("system", (Text(case.system),))] if case.system else []
    question = Message("user", (Text(case.prompt),))
    return ChatRequest(model, (*system, question), max_output_tokens=case.max_output_tokens)


def hints_of(case: Case) -> Hints:
    # An answer to less than was asked would be judged as one to all of it.
    return Hints(
        task=case.task, complexity=case.complexity, context="personal", degrades=False, learns=False
    )


def judge_request(prompt: str, judge: str) -> ChatRequest:
    message = Message("user", (Text(prompt),))
    return ChatRequest(judge, (message,), max_output_tokens=JUDGE_TOKENS)


JUDGE_HINTS = Hints(task="complex", context="personal", degrades=False, learns=False)


class Running:
    """Use it once. `counts` says of which cases the router may learn."""

    def __init__(
        self,
        run: Run,
        *,
        asking: Asking,
        store: BenchmarkStore,
        sandbox: Sandbox,
        evidence: Evidence,
        memory: MemoryOf,
        spent: Callable[[], Awaitable[int]],
        counts: Callable[[Case], bool],
        is_local: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._run = run
        self._asking = asking
        self._store = store
        self._sandbox = sandbox
        self._evidence = evidence
        self._memory = memory
        self._spent = spent
        self._counts = counts
        self._is_local = is_local
        self._clock = clock
        self._telling = asyncio.Lock()
        self._done = 0
        self._failed = 0
        self.left_out = 0

    async def go_on(self, known: Mapping[tuple[str, str, int], Result], tell: OnProgress) -> None:
        """Take every turn that is not known; those that the budget cannot pay are left out.

        Raises:
            GatewayError: a result could not be kept.
        """
        self._done = len(known)
        self._failed = sum(not one.was_answered for one in known.values())
        await tell(await self._progress(None))
        turns = iter([turn for turn in self._in_order() if turn.key not in known])
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._run.settings.parallel):
                    name = f"benchmark {self._run.id} {number}"
                    group.create_task(self._work(turns, tell), name=name)
        except BaseExceptionGroup as group_of_errors:
            # What went wrong for one of them ended all.
            raise group_of_errors.exceptions[0] from group_of_errors

    def _in_order(self) -> Sequence[Turn]:
        """A machine of one's own would load another model for each turn: there they are grouped."""

        def group(turn: Turn) -> str:
            return turn.model if self._is_local(turn.model) else ""

        return sorted(self._run.settings.turns(), key=group)

    async def _work(self, turns: Iterator[Turn], tell: OnProgress) -> None:
        # By it the ledger knows what the run has cost.
        request_id.begin(self._run.id)
        for turn in turns:
            try:
                result = await self._result(turn)
            except OverBudget:
                self.left_out += 1
                continue
            await self._store.save(result)
            await self._learn(turn.case, result)
            async with self._telling:
                # One after the other, so that what is told only ever grows.
                self._done += 1
                self._failed += not result.was_answered
                await tell(await self._progress(result))

    async def _result(self, turn: Turn) -> Result:
        case, model = turn.case, turn.model
        said = await self._asking.ask(request_of(case, model), hints_of(case))
        memory = await self._memory(model) if said.total_ms is not None else None
        judged = await self._judged(case, said)
        return Result(
            run_id=self._run.id,
            case_id=case.id,
            model=model,
            attempt=turn.attempt,
            time=self._clock(),
            task=case.task,
            outcome=said.outcome,
            quality=judged.quality,
            judged_by=judged.by,
            is_opinion=judged.is_opinion,
            total_ms=said.total_ms,
            first_token_ms=said.first_token_ms,
            input_tokens=said.usage.input_tokens,
            output_tokens=said.usage.output_tokens,
            cost_microusd=said.cost_microusd,
            memory_bytes=memory,
            detail=_told(case, said, judged),
            route_id=said.route_id,
        )

    async def _judged(self, case: Case, said: Said) -> Verdict:
        if said.total_ms is None or isinstance(case.check, Unchecked):
            return UNJUDGED
        if said.outcome == EMPTY:
            return Verdict(0.0, "no answer", "the answer has no text")
        judge = self._run.settings.judge
        ask = None if judge is None else self._ask_of(judge)
        try:
            return await verdict(
                case, said.text, sandbox=self._sandbox, ask=ask, judge_model=judge or "model"
            )
        except GatewayError as error:
            return Verdict(None, "", f"not judged: {error}"[:300])

    def _ask_of(self, judge: str) -> Ask:
        async def ask(prompt: str) -> str:
            said = await self._asking.ask(judge_request(prompt, judge), JUDGE_HINTS)
            if said.total_ms is None:
                raise Unavailable(f"{judge}: {said.detail}", retry_after_seconds=1)
            return said.text

        return ask

    async def _learn(self, case: Case, result: Result) -> None:
        if result.quality is None or not self._counts(case):
            return
        seen = Observation(
            model=result.model,
            task=result.task,
            kind="benchmark",
            quality=result.quality,
            weight=OPINION_WEIGHT if result.is_opinion else 1.0,
            source=f"benchmark:{self._run.id}",
            at=result.time,
        )
        await self._evidence.record([seen])

    async def _progress(self, last: Result | None) -> Progress:
        return Progress(
            self._run.id,
            self._done,
            self._run.settings.count,
            self._failed,
            await self._spent(),
            last,
        )


def _told(case: Case, said: Said, judged: Verdict) -> str:
    cut = f"cut off at {case.max_output_tokens} tokens" if said.is_cut else ""
    return "; ".join(part for part in (said.detail, judged.detail, cut) if part)

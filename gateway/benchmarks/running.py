"""One run in progress: every turn that has no result yet is asked, judged, kept and told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from gateway import request_id
from gateway.benchmarks.asking import Asking, Said
from gateway.benchmarks.case import Ask, Case, Judged, Unchecked, Verdict
from gateway.benchmarks.checks import verdict
from gateway.benchmarks.judge import MOST_CHARACTERS
from gateway.benchmarks.purse import OverBudget
from gateway.benchmarks.record import EMPTY, Progress, Result, Run, Turn
from gateway.benchmarks.sandbox import Sandbox
from gateway.benchmarks.store import BenchmarkStore
from gateway.benchmarks.teaching import Teaching
from gateway.clock import Clock
from gateway.errors import GatewayError, Unavailable
from gateway.llm.completion import Hints
from gateway.llm.messages import ChatRequest, Message, Text

logger = logging.getLogger(__name__)

OnProgress = Callable[[Progress], Awaitable[None]]
# By the ID of a model, the memory that it takes now; None where nobody says.
MemoryOf = Callable[[str], Awaitable[int | None]]

JUDGE_TOKENS = 2_048
# What a judge is told beside the question, the answer and the rubric, in letters.
INSTRUCTION_LETTERS = 2_000
# More than most tokens have: the judge of an answer is paid for before it is there.
LETTERS_OF_A_TOKEN = 6
# What is not judged says as little of a model as what no model answered.
UNJUDGED = Verdict(None, "", "")


def request_of(case: Case, model: str) -> ChatRequest:
    system = [Message("system", (Text(case.system),))] if case.system else []
    question = Message("user", (Text(case.prompt),))
    return ChatRequest(model, (*system, question), max_output_tokens=case.max_output_tokens)


def hints_of(case: Case) -> Hints:
    # An answer to less than was asked would be judged as one to all of it, and one to what the
    # caller's own prompting strategy makes of it as one to the case.
    return Hints(
        task=case.task,
        complexity=case.complexity,
        context="personal",
        degrades=False,
        learns=False,
        is_worded=False,
    )


def judge_request(prompt: str, judge: str) -> ChatRequest:
    message = Message("user", (Text(prompt),))
    return ChatRequest(judge, (message,), max_output_tokens=JUDGE_TOKENS)


def longest_judge_request(case: Case, check: Judged, judge: str) -> ChatRequest:
    """At least as long as what the judge will be asked, but for very long words."""
    answer = min(case.max_output_tokens * LETTERS_OF_A_TOKEN, MOST_CHARACTERS)
    words = "word " * ((INSTRUCTION_LETTERS + answer) // len("word "))
    return judge_request(f"{case.prompt}{check.rubric}{words}", judge)


JUDGE_HINTS = Hints(
    task="complex", context="personal", degrades=False, learns=False, is_worded=False
)


class Running:
    """Use it once. `renew` says that it goes on, and raises if another process does it now."""

    def __init__(
        self,
        run: Run,
        *,
        asking: Asking,
        store: BenchmarkStore,
        sandbox: Sandbox,
        teaching: Teaching,
        memory: MemoryOf,
        spent: Callable[[], Awaitable[int]],
        renew: Callable[[], Awaitable[None]],
        is_local: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._run = run
        self._asking = asking
        self._store = store
        self._sandbox = sandbox
        self._teaching = teaching
        self._memory = memory
        self._spent = spent
        self._renew = renew
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
        request_id.begin_run(self._run.id)
        for turn in turns:
            await self._renew()
            try:
                result = await self._result(turn)
            except OverBudget:
                self.left_out += 1
                continue
            if await self._store.save(result):
                await self._teaching.learn(turn.case, result)
            async with self._telling:
                # One after the other, so that what is told only ever grows.
                self._done += 1
                self._failed += not result.was_answered
                await tell(await self._progress(result))

    async def _result(self, turn: Turn) -> Result:
        """Raises:
        OverBudget: the budget may not pay for the answer, or not for its judge.
        """
        case, model = turn.case, turn.model
        held = self._worst_of_judge(case)
        request = request_of(case, model)
        async with self._asking.asked(request, hints_of(case), later_microusd=held) as said:
            memory = await self._memory(model) if said.total_ms is not None else None
            judged = await self._judged(case, said, held or 0)
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

    def _worst_of_judge(self, case: Case) -> int | None:
        judge = self._run.settings.judge
        if judge is None or not isinstance(case.check, Judged):
            return 0
        request = longest_judge_request(case, case.check, judge)
        return self._asking.worst_microusd(request, JUDGE_HINTS)

    async def _judged(self, case: Case, said: Said, held_microusd: int) -> Verdict:
        if said.total_ms is None or isinstance(case.check, Unchecked):
            return UNJUDGED
        if said.outcome == EMPTY:
            return Verdict(0.0, "no answer", "the answer has no text")
        judge = self._run.settings.judge
        ask = None if judge is None else self._ask_of(judge, held_microusd)
        try:
            return await verdict(
                case, said.text, sandbox=self._sandbox, ask=ask, judge_model=judge or "model"
            )
        except GatewayError as error:
            return Verdict(None, "", f"not judged: {error}"[:300])

    def _ask_of(self, judge: str, held_microusd: int) -> Ask:
        async def ask(prompt: str) -> str:
            request = judge_request(prompt, judge)
            asked = self._asking.asked(request, JUDGE_HINTS, within_microusd=held_microusd)
            async with asked as said:
                if said.total_ms is None:
                    raise Unavailable(f"{judge}: {said.detail}", retry_after_seconds=1)
                return said.text

        return ask

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

"""What is kept of a benchmark: the run with its settings, and a result for each answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.benchmarks.case import Case

# A run whose process was killed stays `running`; `stopped` was told to end before it was done.
Status = Literal["running", "done", "stopped", "over_budget"]

ANSWERED = "ok"
# The model ended its answer without a word of text.
EMPTY = "empty"
# Says nothing of the model, and may come otherwise when the run goes on.
PASSING = ("rate_limited", "limit_exceeded", "unavailable", "over_budget")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to one model; `attempt` counts from 1."""

    case: Case
    model: str
    attempt: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.case.id, self.model, self.attempt


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run asks of whom. Without a budget it may only call what is free.

    `models` and `judge` are IDs. `attempts` is how often each model gets each case, and
    `parallel` how many calls may run at once.
    """

    cases: tuple[Case, ...]
    models: tuple[str, ...]
    attempts: int = 1
    parallel: int = 2
    budget_microusd: int | None = None
    judge: str | None = None

    def turns(self) -> Iterator[Turn]:
        """Models take turns, so that none of them is asked twice in a row."""
        for attempt in range(1, self.attempts + 1):
            for case in self.cases:
                for model in self.models:
                    yield Turn(case, model, attempt)

    @property
    def count(self) -> int:
        return len(self.cases) * len(self.models) * self.attempts


@dataclass(frozen=True, slots=True)
class Run:
    """IDs rise with time: they begin with when the run was made.

    `is_owners` says that an owner began it. `spent_microusd` is what it had spent when it was last
    left, None before.
    """

    id: str
    name: str
    caller: str
    started: datetime
    ended: datetime | None
    status: Status
    settings: Settings
    is_owners: bool = False
    spent_microusd: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one turn.

    `outcome` is `ok`, `empty`, or the code of the error that came in place of an answer.
    `quality` is 0 to 1 and None where nothing judged the answer. Times are those that a user of
    the gateway would have waited; `cost_microusd` is None where it is not known. `detail` holds
    no part of the answer.
    """

    run_id: str
    case_id: str
    model: str
    attempt: int
    time: datetime
    task: str
    outcome: str
    quality: float | None
    judged_by: str = ""
    is_opinion: bool = False
    total_ms: float | None = None
    first_token_ms: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int | None = None
    memory_bytes: int | None = None
    detail: str = ""
    route_id: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.case_id, self.model, self.attempt

    @property
    def was_answered(self) -> bool:
        return self.outcome == ANSWERED

    @property
    def is_final(self) -> bool:
        """Whether it need not be asked again: an outage is no answer, nor one without its grade."""
        return self.outcome not in PASSING and not (self.is_opinion and self.quality is None)

    @property
    def tokens_per_second(self) -> float | None:
        """Of the whole answer, from the question on."""
        if not self.was_answered or not self.total_ms or not self.output_tokens:
            return None
        return self.output_tokens / self.total_ms * 1000


@dataclass(frozen=True, slots=True)
class Report:
    """A run with the results that it has so far; `spent_microusd` is with what the judge cost."""

    run: Run
    results: Sequence[Result]
    spent_microusd: int | None

    @property
    def done(self) -> int:
        return len(self.results)

    @property
    def failed(self) -> int:
        return sum(not one.was_answered for one in self.results)

    @property
    def models(self) -> Sequence[str]:
        return self.run.settings.models

    @property
    def is_whole(self) -> bool:
        final = sum(one.is_final for one in self.results)
        return final >= self.run.settings.count


@dataclass(frozen=True, slots=True)
class Summary:
    """A run without its results: `done` counts them, and `failed` those that are no answers."""

    run: Run
    done: int
    failed: int
    spent_microusd: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; `last` is the result that is new."""

    run_id: str
    done: int
    total: int
    failed: int
    spent_microusd: int
    last: Result | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would cost, judge and all; None is not known. `unpriced` models have no price."""

    calls: int
    expected_microusd: int | None
    worst_microusd: int | None
    unpriced: tuple[str, ...] = ()
    paid: tuple[str, ...] = ()

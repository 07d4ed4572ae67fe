"""What a run would cost: the sum over its calls of what the router expects for each."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.benchmarks.case import Case, Judged
from gateway.benchmarks.record import Estimate, Settings
from gateway.benchmarks.running import JUDGE_HINTS, hints_of, judge_request, request_of
from gateway.caller import Caller
from gateway.llm.completion import Completion, Hints
from gateway.llm.messages import ChatRequest, Usage
from gateway.llm.tokens import request_tokens

# What a judge is told beside the question, the answer and the rubric, in letters.
INSTRUCTION_LETTERS = 2_000
LETTERS_OF_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class _Planned:
    request: ChatRequest
    hints: Hints
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class _Costs:
    model: str
    expected_microusd: int | None
    worst_microusd: int | None


def estimated(completion: Completion, who: Caller, settings: Settings) -> Estimate:
    """As of now: a free model whose quota ends on the way may cost something."""
    costs = [_costs(completion, who, one) for one in _planned(settings)]
    return Estimate(
        len(costs) * settings.attempts,
        _sum([one.expected_microusd for one in costs], times=settings.attempts),
        _sum([one.worst_microusd for one in costs], times=settings.attempts),
        paid=tuple(dict.fromkeys(one.model for one in costs if one.worst_microusd != 0)),
        unpriced=tuple(dict.fromkeys(one.model for one in costs if one.worst_microusd is None)),
    )


def _planned(settings: Settings) -> Iterator[_Planned]:
    """Every call of one attempt, the judge's too."""
    for case in settings.cases:
        for model in settings.models:
            yield _Planned(request_of(case, model), hints_of(case), case.expected_output_tokens)
            if settings.judge is not None and isinstance(case.check, Judged):
                yield _Planned(_to_judge(case, case.check, settings.judge), JUDGE_HINTS, None)


def _to_judge(case: Case, check: Judged, judge: str) -> ChatRequest:
    """About as long as what the judge will be asked."""
    letters = len(case.prompt) + len(check.rubric) + INSTRUCTION_LETTERS
    letters += case.max_output_tokens * LETTERS_OF_A_TOKEN
    return judge_request("word " * (letters // len("word ")), judge)


def _costs(completion: Completion, who: Caller, planned: _Planned) -> _Costs:
    request = planned.request
    only = replace(who, models=(glob.escape(request.model),))
    steps = completion.plan(only, request, planned.hints).steps
    if not steps:
        # Nothing can be called, so nothing is spent.
        return _Costs(request.model, 0, 0)
    first = steps[0]
    expected, price = first.expected_microusd, first.model.price
    if planned.output_tokens is not None and expected and price is not None:
        expected = price.cost_microusd(Usage(request_tokens(request), planned.output_tokens))
    return _Costs(request.model, expected, first.worst_microusd)


def _sum(costs: Sequence[int | None], *, times: int) -> int | None:
    known = [one for one in costs if one is not None]
    return times * sum(known) if len(known) == len(costs) else None

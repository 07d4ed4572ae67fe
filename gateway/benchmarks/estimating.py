"""What a run would cost: the sum over its calls of what the router expects for each."""

import asyncio
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.benchmarks.case import Judged
from gateway.benchmarks.record import Estimate, Settings
from gateway.benchmarks.running import JUDGE_HINTS, hints_of, longest_judge_request, request_of
from gateway.caller import Caller
from gateway.errors import PaymentRequired
from gateway.llm.completion import Completion, Hints
from gateway.llm.features import Features, features
from gateway.llm.messages import ChatRequest, Usage
from gateway.usage.limit import dollars

# More in one go would keep others waiting; a plan takes part of a millisecond.
PLANS_IN_ONE_GO = 8


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, to each of these models so many times."""

    features: Features
    models: Sequence[str]
    times: int
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class _Costs:
    model: str
    calls: int
    expected_microusd: int | None
    worst_microusd: int | None


async def estimated(completion: Completion, who: Caller, settings: Settings) -> Estimate:
    """As of now: a free model whose quota ends on the way may cost something."""
    costs: list[_Costs] = []
    for asked in _every(settings):
        await asyncio.sleep(0)
        for number, model in enumerate(asked.models, 1):
            costs.append(_costs(completion, who, model, asked))
            if number % PLANS_IN_ONE_GO == 0:
                await asyncio.sleep(0)
    return Estimate(
        sum(one.calls for one in costs),
        _sum([one.expected_microusd for one in costs]),
        _sum([one.worst_microusd for one in costs]),
        paid=tuple(dict.fromkeys(one.model for one in costs if one.worst_microusd != 0)),
        unpriced=tuple(dict.fromkeys(one.model for one in costs if one.worst_microusd is None)),
    )


def check_budget(settings: Settings, estimate: Estimate) -> None:
    """Raises:
    PaymentRequired: it may cost money, and has no budget that could bound it.
    """
    if not estimate.paid:
        return
    if estimate.unpriced:
        raise PaymentRequired(
            f"what {', '.join(estimate.unpriced)} costs is not known, so no budget can bound it; "
            "give it a price in models.yaml, or leave it out"
        )
    if settings.budget_microusd is None:
        raise PaymentRequired(f"{cost_words(estimate)}; allow it with a budget")


def cost_words(estimate: Estimate) -> str:
    """Of what may cost money, and whose prices are known."""
    assert estimate.expected_microusd is not None
    assert estimate.worst_microusd is not None
    return (
        f"{', '.join(estimate.paid)} may cost money: about "
        f"{dollars(estimate.expected_microusd)}, at most {dollars(estimate.worst_microusd)} "
        f"for {estimate.calls:,} calls"
    )


def _every(settings: Settings) -> Iterator[_Asked]:
    """What is asked, and what its judge is: a question is looked at once, whoever gets it."""
    models, attempts = settings.models, settings.attempts
    for case in settings.cases:
        request = request_of(case, "auto")
        yield _Asked(
            _features(request, hints_of(case)), models, attempts, case.expected_output_tokens
        )
        if settings.judge is not None and isinstance(case.check, Judged):
            request = longest_judge_request(case, case.check, settings.judge)
            times = len(models) * attempts
            yield _Asked(_features(request, JUDGE_HINTS), [settings.judge], times, None)


def _features(request: ChatRequest, hints: Hints) -> Features:
    return features(request, task=hints.task, complexity=hints.complexity, context=hints.context)


def _costs(completion: Completion, who: Caller, model: str, asked: _Asked) -> _Costs:
    only = replace(who, models=(glob.escape(model),))
    steps = completion.planned(only, replace(asked.features, wanted=model)).steps
    if not steps:
        # Nothing can be called, so nothing is spent.
        return _Costs(model, asked.times, 0, 0)
    first = steps[0]
    expected, worst, price = first.expected_microusd, first.worst_microusd, first.model.price
    if asked.output_tokens is not None and expected and price is not None:
        expected = price.cost_microusd(Usage(asked.features.input_tokens, asked.output_tokens))
    return _Costs(model, asked.times, _times(asked, expected), _times(asked, worst))


def _times(asked: _Asked, microusd: int | None) -> int | None:
    return None if microusd is None else asked.times * microusd


def _sum(costs: Sequence[int | None]) -> int | None:
    known = [one for one in costs if one is not None]
    return sum(known) if len(known) == len(costs) else None

"""What calls would have cost otherwise: at their models' own list prices, and on one other model.

The two figures answer two questions and are never added up. Either may be negative: then the calls
cost more than they would have.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.usage.workload import Workload

LOCAL = "local"
FAILED, NO_PRICE, NO_COST = "failed", "no list price is known", "what they cost is not known"
OF_LOCAL = "models of one's own, which have no list price"
NO_TOKENS, NO_CHAT = "no tokens were counted", "embeddings, which it does not make"
NOTES = (
    "Another model cuts the same text into other tokens and answers at another length; here it is "
    "given the tokens that were counted, with cached ones at its own price for those.",
    "What a subscription, and the power and the machine of local models, cost is not subtracted.",
    "Failed calls save nothing; what was charged for them is told apart.",
)


@dataclass(frozen=True, slots=True)
class Alternative:
    """The model that the tokens are valued on: why this one, and of which day its prices are.

    `cost` gives the micro-dollars of a workload, None where its price is not known. Its prices
    change above so many tokens of input of one call.
    """

    model: str
    why: str
    source: str
    as_of: date
    cost: Callable[[Workload], int | None]
    above_tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the same calls cost, and what they are worth; `left_out` counts the others by reason."""

    calls: int
    paid_microusd: int
    worth_microusd: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def saved_microusd(self) -> int:
        return self.worth_microusd - self.paid_microusd


@dataclass(frozen=True, slots=True)
class Savings:
    """`by_list` values calls at the list prices of their own models, of the day of each call.

    `elsewhere` values them on the alternative, at its prices of now; None without one.
    """

    by_list: Comparison
    elsewhere: Comparison | None = None
    alternative: Alternative | None = None
    failed_calls: int = 0
    failed_microusd: int = 0


def savings(workloads: Sequence[Workload], alternative: Alternative | None = None) -> Savings:
    failed = [one for one in workloads if not one.is_ok]
    return Savings(
        _compared(workloads, _by_list),
        _compared(workloads, _on(alternative)) if alternative else None,
        alternative,
        sum(one.calls for one in failed),
        sum(one.charged_microusd or 0 for one in failed),
    )


_Worth = Callable[[Workload], int | str]
"""What a workload is worth in micro-dollars, or why it is left out."""


def _by_list(one: Workload) -> int | str:
    if one.cost_source == LOCAL:
        return OF_LOCAL
    return NO_PRICE if one.list_microusd is None else one.list_microusd


def _on(alternative: Alternative) -> _Worth:
    def worth(one: Workload) -> int | str:
        if one.request_type != "chat":
            return NO_CHAT
        if not one.is_counted:
            return NO_TOKENS
        cost = alternative.cost(one)
        return NO_PRICE if cost is None else cost

    return worth


def _compared(workloads: Sequence[Workload], worth_of: _Worth) -> Comparison:
    left_out: Counter[str] = Counter()
    calls = paid = worth = 0
    for one in workloads:
        value = worth_of(one) if one.is_ok else FAILED
        if one.charged_microusd is None and not isinstance(value, str):
            value = NO_COST
        if isinstance(value, str):
            left_out[value] += one.calls
            continue
        calls, worth = calls + one.calls, worth + value
        paid += one.charged_microusd or 0
    return Comparison(calls, paid, worth, dict(left_out))

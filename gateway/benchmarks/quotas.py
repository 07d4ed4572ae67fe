"""Whether a run leaves enough of the free quotas to those who share them."""

from collections import Counter
from collections.abc import Sequence

from gateway.benchmarks.record import Settings
from gateway.caller import Caller
from gateway.errors import Refused
from gateway.llm.model import Model
from gateway.usage.call import Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState

# Of what is left; an owner may use it up.
MOST_PERCENT = 25


def check_quotas(ledger: Ledger, who: Caller, settings: Settings, models: Sequence[Model]) -> None:
    """Raises:
    Refused: it takes too much of a quota that others use too.
    """
    states: dict[tuple[str, str], LimitState] = {}
    calls: Counter[tuple[str, str]] = Counter()
    tasks = Counter(case.task for case in settings.cases)
    for model in models:
        for task, cases in tasks.items():
            call = Call("", who.name, model.provider, model.id, model.tier, task=task)
            for state in ledger.standing(call):
                if _is_shared_quota(state):
                    key = state.limit.id, state.key
                    states[key] = state
                    calls[key] += cases * settings.attempts
    for key, state in states.items():
        if calls[key] * 100 > state.remaining * MOST_PERCENT:
            raise Refused(
                f"{calls[key]:,} calls are more than {MOST_PERCENT} % of the "
                f"{state.remaining:,} requests that the quota {state.limit.name!r} has left for "
                "all; take fewer cases, models or runs"
            )


def _is_shared_quota(state: LimitState) -> bool:
    limit = state.limit
    return limit.is_hard and limit.unit == "requests" and "caller" not in limit.per

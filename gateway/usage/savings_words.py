"""What was saved, as a person says it: against what, of which day, and what is not in it."""

from collections.abc import Mapping

from gateway.usage.limit import dollars
from gateway.usage.savings import Comparison, Savings


def by_list(one: Savings) -> str:
    calls = _calls(one.by_list)
    if not one.by_list.calls:
        return f"No successful call has a known list price of its own{_left_out(one.by_list)}."
    return (
        f"At their own list prices, {calls} would have cost "
        f"{dollars(one.by_list.worth_microusd)}, and cost {dollars(one.by_list.paid_microusd)}: "
        f"{difference(one.by_list)}{_left_out(one.by_list)}."
    )


def elsewhere(one: Savings) -> str:
    """Empty without an alternative."""
    other, compared = one.alternative, one.elsewhere
    if other is None or compared is None:
        return ""
    priced = f"{other.model} ({other.why}; list prices of {other.as_of}, from {other.source})"
    if not compared.calls:
        return f"No successful call can be compared with {priced}{_left_out(compared)}."
    return (
        f"On {priced}, the same tokens of {_calls(compared)} would have cost "
        f"{dollars(compared.worth_microusd)}, and cost {dollars(compared.paid_microusd)}: "
        f"{difference(compared)}{_left_out(compared)}."
    )


def difference(compared: Comparison) -> str:
    """What was saved is never negative: then it cost more."""
    saved = compared.saved_microusd
    if saved == 0:
        return "nothing saved"
    return f"{dollars(saved)} saved" if saved > 0 else f"they cost {dollars(-saved)} more"


def against(compared: Comparison, what: str) -> str:
    """Such as `$1.20 saved compared with their own list prices`."""
    word = "than" if compared.saved_microusd < 0 else "compared with"
    return f"{difference(compared)} {word} {what}"


def failed(one: Savings) -> str:
    """Empty where nothing was charged for calls that failed."""
    if not one.failed_microusd:
        return ""
    calls = f"{one.failed_calls:,} failed call{'' if one.failed_calls == 1 else 's'}"
    return f"{dollars(one.failed_microusd)} was charged for {calls}, and is in neither."


def _calls(compared: Comparison) -> str:
    return f"{compared.calls:,} call" if compared.calls == 1 else f"{compared.calls:,} calls"


def _left_out(compared: Comparison) -> str:
    told: Mapping[str, int] = compared.left_out
    if not told:
        return ""
    parts = ", ".join(f"{count:,} ({why})" for why, count in sorted(told.items(), key=_by_count))
    return f"; left out: {parts}"


def _by_count(reason: tuple[str, int]) -> tuple[int, str]:
    return -reason[1], reason[0]

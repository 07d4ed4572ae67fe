"""What became of each model that was tried for one request, as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.sources.models.rendering import plain, table
from gateway.sources.money import usd
from gateway.usage.report import UsageLine

_HEAD = (
    "Model",
    "Provider",
    "Tier",
    "Strategy",
    "Why",
    "Outcome",
    "Error",
    "Milliseconds",
    "Cost",
    "Cost so far",
)


def attempts_text(route: Mapping[str, Any], lines: Sequence[UsageLine]) -> str:
    """The attempts of a route as JSON, in order; `lines` are its calls in the ledger."""
    rows = [_row(one) for one in _attempts(route, lines)]
    if not rows:
        return ""
    # What nothing is known of, as in routes of older versions, needs no column.
    telling = [place for place in range(len(_HEAD)) if any(row[place] for row in rows)]
    head = tuple(_HEAD[place] for place in telling)
    said = table(head, [tuple(row[place] for place in telling) for row in rows])
    warnings = "; ".join(route.get("warnings") or ())
    lacks = f"\n\nThe answer is degraded: {plain(warnings)}." if warnings else ""
    return f"## What was tried\n\n{said}{lacks}"


def _attempts(route: Mapping[str, Any], lines: Sequence[UsageLine]) -> Iterator[Mapping[str, Any]]:
    yield from route.get("tried") or ()
    if not route.get("tried_last"):
        return
    last = {
        **(route.get("trying") or {}),
        "model": route["tried_last"],
        "outcome": route.get("outcome", ""),
    }
    if "trying" in route:
        last["milliseconds"] = _milliseconds(route, lines)
        last["cost_microusd"] = route.get("cost_microusd")
        last["spent_microusd"] = _sum(last["spent_microusd"], last["cost_microusd"])
    yield last


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    milliseconds = one.get("milliseconds")
    outcome = plain(str(one.get("outcome", "")))
    # Nothing was sent where a limit had no room for it, or a provider was left alone.
    sent = ", not sent" if one.get("was_sent") is False else ""
    return (
        f"`{plain(str(one['model']))}`",
        *(plain(str(one.get(name) or "")) for name in ("provider", "tier", "strategy", "why")),
        f"{outcome}{sent}",
        plain(str(one.get("error") or "")),
        "" if milliseconds is None else f"{milliseconds:,.0f}",
        *(usd(one[name]) if name in one else "" for name in ("cost_microusd", "spent_microusd")),
    )


def _milliseconds(route: Mapping[str, Any], lines: Sequence[UsageLine]) -> float | None:
    tried = {name: route.get(key) for name, key in _OF_LAST.items()}
    return next((one.total_ms for one in lines if dict(one.group) == tried), None)


_OF_LAST: Mapping[str, str] = {"model": "tried_last", "tier": "tier", "outcome": "outcome"}


def _sum(before: int | None, cost: int | None) -> int | None:
    return None if before is None or cost is None else before + cost

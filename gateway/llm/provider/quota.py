"""What a provider itself says is left of a quota or a balance, in whatever shape it says it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from gateway.llm.provider.presets import Addresses

Ask = Callable[..., Awaitable[Any]]
Unit = Literal["requests", "input_tokens", "images", "microusd"]
QuotaWindow = Literal["day", "week", "month", "total"]

# NanoGPT's names, those that it documents and those that it has used since March 2026.
_NANOGPT: Mapping[str, tuple[Unit, QuotaWindow]] = {
    "daily": ("requests", "day"),
    "monthly": ("requests", "month"),
    "weeklyInputTokens": ("input_tokens", "week"),
    "dailyInputTokens": ("input_tokens", "day"),
    "dailyImages": ("images", "day"),
}


@dataclass(frozen=True, slots=True)
class ReportedQuota:
    """`used` of `most` in a window; what is None was not said.

    `name` is the provider's own word. `is_active` is false for a subscription that has ended.
    `raw` is what was read.
    """

    name: str
    unit: Unit
    window: QuotaWindow
    used: int | None
    most: int | None
    remaining: int | None
    resets_at: datetime | None
    as_of: datetime
    is_active: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict)


async def quotas(ask: Ask, addresses: Addresses, *, as_of: datetime) -> Sequence[ReportedQuota]:
    """Raises:
    GatewayError: the provider did not answer.
    """
    if addresses.kind == "nanogpt":
        usage = await ask("GET", f"{addresses.root}/subscription/v1/usage")
        return tuple(nanogpt_quotas(usage, as_of=as_of))
    if addresses.kind == "openrouter":
        key = await ask("GET", f"{addresses.base}/key")
        credit = await ask("GET", f"{addresses.base}/credits")
        return tuple(openrouter_quotas(key, credit, as_of=as_of))
    return ()


def nanogpt_quotas(usage: Any, *, as_of: datetime) -> Iterator[ReportedQuota]:
    """From `/subscription/v1/usage`: any of the windows may be absent or null."""
    if not isinstance(usage, dict):
        return
    limits = _mapping(usage.get("limits"))
    for name, (unit, window) in _NANOGPT.items():
        counted = _mapping(usage.get(name))
        most = _whole(limits.get(name))
        if not counted and most is None:
            continue
        used, remaining = _whole(counted.get("used")), _whole(counted.get("remaining"))
        if most is None and used is not None and remaining is not None:
            most = used + remaining
        yield ReportedQuota(
            name=name,
            unit=unit,
            window=window,
            used=used,
            most=most,
            remaining=remaining,
            resets_at=_moment(counted.get("resetAt")),
            as_of=as_of,
            # In its grace a subscription still serves.
            is_active=usage.get("active") is not False and usage.get("state") != "inactive",
            raw=counted,
        )


def openrouter_quotas(key: Any, credit: Any, *, as_of: datetime) -> Iterator[ReportedQuota]:
    """From `/key`, whose limit is optional, and `/credits`, what was bought."""
    said = _mapping(_mapping(key).get("data"))
    used = _microusd(said.get("usage"))
    if said.get("limit") is not None:
        window = _KEY_WINDOWS.get(str(said.get("limit_reset")), "total")
        remaining = _microusd(said.get("limit_remaining"))
        most = _microusd(said["limit"])
        if most is not None and remaining is not None:
            used = most - remaining
        yield ReportedQuota("key", "microusd", window, used, most, remaining, None, as_of, raw=said)
    bought = _mapping(_mapping(credit).get("data"))
    total, spent = _microusd(bought.get("total_credits")), _microusd(bought.get("total_usage"))
    if total is not None and spent is not None:
        yield ReportedQuota(
            "credits", "microusd", "total", spent, total, total - spent, None, as_of, raw=bought
        )


_KEY_WINDOWS: Mapping[str, QuotaWindow] = {"daily": "day", "weekly": "week", "monthly": "month"}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value)


def _microusd(value: Any) -> int | None:
    try:
        return int(Decimal(str(value)) * 1_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _moment(value: Any) -> datetime | None:
    """Of milliseconds since 1970, or of a text by RFC 3339."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None

"""Money as documents show it: never scientific, and an unknown amount is said to be unknown."""

from decimal import Decimal

from gateway.usage.limit import dollars

UNKNOWN = "unknown"


def usd(microusd: int | None) -> str:
    """Every digit that counts, at least cents: `$0.0123`, `$12.50`; None is `unknown`."""
    return UNKNOWN if microusd is None else dollars(microusd)


def rate(usd_per_million: Decimal | None) -> str:
    """A price for a million tokens: `$2`, `$0.075`, `$1,200`; None is `unknown`."""
    if usd_per_million is None:
        return UNKNOWN
    text = f"{usd_per_million:,f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"

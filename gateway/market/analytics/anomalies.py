"""What is out of the ordinary in a market right now, as far as REST readings can show it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.clock import rfc3339
from gateway.market.analytics import detectors
from gateway.market.analytics.decimal_text import number, plain, short
from gateway.market.analytics.detectors import Finding
from gateway.market.analytics.order_flow import within_window
from gateway.market.analytics.readings import Book, Candle, Trade

WINDOW_SECONDS = 60

_METHOD = (
    "eight checks on one book snapshot, the last 60 s of aggregate trades and the last 60 candles; "
    "each check states its limit and value. Severity by value / limit: from 4 Critical, from 2 "
    "High, from 1.25 Medium, else Low; flash crash risk is High with two signs, Critical with "
    "three. Confidence = 1 - 0.5 x limit / value (flash crash risk: signs / 3)"
)
_ACTIONS = {
    "PriceShock": "Check the news and the other venues before trading; expect slippage.",
    "VolumeSpike": "See in the order flow which side trades before following the move.",
    "SpreadBlowout": "Use limit orders; a market order pays the whole spread.",
    "OneSidedBook": "Expect less resistance on the thin side; keep orders small.",
    "SpoofingSuspected": "Do not count on the far large orders; they may be withdrawn.",
    "IcebergOrder": "Expect more hidden quantity at this price than the book shows.",
    "FlashCrashRisk": "Avoid market orders and check stop orders until the book recovers.",
}


def market_anomalies(
    symbol: str,
    book: Book,
    trades: Sequence[Trade],
    candles: Sequence[Candle],
    *,
    as_of: datetime,
) -> dict[str, Any]:
    """Every check with its value, and an anomaly for each that fired.

    An anomaly that is seen again in the same minute keeps its ID.
    """
    recent = within_window(trades, window_seconds=WINDOW_SECONDS, as_of=as_of)
    known = [candle for candle in candles if candle.open_time <= as_of]
    findings = (
        detectors.price_shock(known),
        detectors.volume_spike(known),
        detectors.spread_blowout(book),
        detectors.one_sided_book(book),
        detectors.spoofing_proxy(book),
        detectors.iceberg_proxy(recent),
        detectors.flash_crash_risk(book, recent, as_of=as_of),
        detectors.quote_stuffing(),
    )
    return {
        "symbol": symbol,
        "anomalies": [_anomaly(symbol, found, as_of) for found in findings if found.fired],
        "checks": [_check(finding) for finding in findings],
        "as_of": rfc3339(as_of),
        "method": _METHOD,
        "window": f"{WINDOW_SECONDS} s of trades, {detectors.HISTORY} candles, one snapshot",
        "sample_size": len(recent),
        "coverage": _coverage(findings, recent, known),
    }


def severity(finding: Finding) -> str:
    if finding.kind == "FlashCrashRisk":
        return "Critical" if finding.value == 3 else "High"
    if finding.strength >= 4:
        return "Critical"
    if finding.strength >= 2:
        return "High"
    return "Medium" if finding.strength >= Decimal("1.25") else "Low"


def confidence(finding: Finding) -> float:
    if finding.kind == "FlashCrashRisk":
        return number((finding.value or Decimal(0)) / 3)
    return number(1 - Decimal("0.5") / finding.strength)


def _anomaly(symbol: str, finding: Finding, as_of: datetime) -> dict[str, Any]:
    minute = as_of.replace(second=0, microsecond=0)
    identity = f"anomaly:{symbol}:{finding.kind}:{rfc3339(minute)}"
    return {
        "anomaly_id": str(uuid5(NAMESPACE_URL, identity)),
        "symbol": symbol,
        "anomaly_type": {"type": finding.kind, **finding.numbers},
        "detection_timestamp": rfc3339(as_of),
        "confidence_score": confidence(finding),
        "affected_price_levels": [plain(price) for price in finding.levels],
        "severity": severity(finding),
        "recommended_action": _ACTIONS[finding.kind],
        "metadata": {
            "check": finding.name,
            "value": plain(short(finding.value or Decimal(0))),
            "limit": plain(finding.limit),
        },
    }


def _check(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "value": None if finding.value is None else number(finding.value),
        "limit": number(finding.limit),
        "fired": finding.fired,
        "meaning": finding.meaning,
    }


def _coverage(
    findings: Sequence[Finding], trades: Sequence[Trade], candles: Sequence[Candle]
) -> str:
    unmeasured = [finding.name for finding in findings if finding.value is None]
    return (
        f"{len(trades)} trades, {min(len(candles), detectors.HISTORY + 1)} candles, one "
        f"book snapshot; not measured: {', '.join(unmeasured)}"
    )

"""Times as the answers write them, and the spans they are measured over."""

from datetime import datetime, timedelta


def milliseconds(moment: datetime) -> int:
    """Since 1970, as Binance counts."""
    return int(moment.timestamp() * 1000)


def seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"

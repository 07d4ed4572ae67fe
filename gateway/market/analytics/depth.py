"""How much rests in a book: near the price, on each side, and which side outweighs the other."""

from collections.abc import Iterable
from decimal import Decimal

from gateway.market.analytics.readings import Book, Level

Side = tuple[Level, ...]


def quantity(levels: Iterable[Level]) -> Decimal:
    """In the base asset."""
    return sum((level.quantity for level in levels), Decimal(0))


def quote_value(levels: Iterable[Level]) -> Decimal:
    return sum((level.value for level in levels), Decimal(0))


def within(book: Book, distance_bps: int) -> tuple[Side, Side]:
    """The bids and asks no further than that from mid; a side may be empty in a wide market."""
    reach = book.mid * distance_bps / 10_000
    return (
        tuple(level for level in book.bids if level.price >= book.mid - reach),
        tuple(level for level in book.asks if level.price <= book.mid + reach),
    )


def reaches(book: Book, distance_bps: int) -> bool:
    """Whether the snapshot goes that far from mid on both sides, so that sums are whole."""
    reach = book.mid * distance_bps / 10_000
    return book.bids[-1].price <= book.mid - reach and book.asks[-1].price >= book.mid + reach


def imbalance(bought: Decimal, sold: Decimal) -> Decimal:
    """From -1 (all on the second) to 1 (all on the first); 0 when there is nothing on either."""
    total = bought + sold
    return (bought - sold) / total if total else Decimal(0)

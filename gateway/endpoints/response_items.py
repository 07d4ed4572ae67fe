"""Pages of the items that a response answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.text import shown

USUAL_ITEMS = 20
MOST_ITEMS = 100


def page_of(items: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """The newest first, unless `order` is `asc`.

    Raises:
        InvalidRequest: naming the parameter.
    """
    ordered = list(items) if _order(query) == "asc" else list(reversed(items))
    rest = _after(ordered, query.get("after"))
    limit = _limit(query)
    page = rest[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(rest) > limit,
    }


def _order(query: Mapping[str, str]) -> str:
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order: must be asc or desc, not {shown(order)!r}")
    return order


def _after(items: list[Mapping[str, Any]], after: str | None) -> list[Mapping[str, Any]]:
    if after is None:
        return items
    places = [at for at, item in enumerate(items) if item["id"] == after]
    if not places:
        raise InvalidRequest(f"after: no item of this response has the ID {shown(after)!r}")
    return items[places[0] + 1 :]


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit", str(USUAL_ITEMS))
    limit = int(given) if given.isascii() and given.isdigit() and len(given) < 4 else 0
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidRequest(f"limit: must be from 1 to {MOST_ITEMS}, not {shown(given)!r}")
    return limit

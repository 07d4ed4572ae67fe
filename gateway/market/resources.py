"""What ReadResource reads: a market as a page of markdown, and the account's pages with keys."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

from gateway.errors import NotFound, PermissionDenied
from gateway.market.pages import balances_page, market_page, open_orders_page, own_trades_page
from gateway.market.venue import Venue

SCHEME = "binance"
MIME_TYPE = "text/markdown"

Page = Callable[[Venue, str], Awaitable[str]]

# By what stands before the value that a page is about.
_MARKET_PAGES: Mapping[str, Page] = {"market/{symbol}": market_page}
_ACCOUNT_PAGES: Mapping[str, Page] = {
    "account/balances": balances_page,
    "account/trades/{symbol}": own_trades_page,
    "orders/open": open_orders_page,
}


def forms(venue: Venue) -> Sequence[str]:
    """The URIs that can be read."""
    templates = [*_MARKET_PAGES, *(_ACCOUNT_PAGES if venue.settings.has_keys else ())]
    return [f"{SCHEME}://{template}" for template in templates]


async def read_resource(venue: Venue, uri: str) -> str:
    """The page in markdown.

    Raises:
        NotFound: no page has that URI, or its symbol is unknown.
        PermissionDenied: it is a page of the account, and there are no keys.
    """
    for template, page in {**_MARKET_PAGES, **_ACCOUNT_PAGES}.items():
        value = _match(f"{SCHEME}://{template}", uri)
        if value is None:
            continue
        if template in _ACCOUNT_PAGES and not venue.settings.has_keys:
            raise PermissionDenied(f"{uri[:100]!r} needs an API key and secret; none are set")
        return await page(venue, value)
    raise NotFound(f"no resource has the URI {uri[:100]!r}; there are {', '.join(forms(venue))}")


def _match(template: str, uri: str) -> str | None:
    """What stands in the URI for `{symbol}`, or nothing at all for a URI without one."""
    prefix, brace, _ = template.partition("{")
    if not brace:
        return "" if uri == template else None
    value = unquote(uri.removeprefix(prefix))
    return value if uri.startswith(prefix) and value else None

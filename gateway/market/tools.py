"""The 21 tools: which are offered, and one call from checked arguments to JSON."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from gateway.errors import NotFound, PermissionDenied
from gateway.market.account_tools import ACCOUNT_TOOLS
from gateway.market.analytic_tools import ANALYTIC_TOOLS
from gateway.market.arguments import checked
from gateway.market.exchange_errors import UnknownSymbol
from gateway.market.market_reads import MARKET_READS
from gateway.market.market_tool import Access, MarketTool
from gateway.market.settings import MarketSettings
from gateway.market.trading import TradingDesk, trading_tools
from gateway.market.venue import Venue


class Tools:
    def __init__(self, venue: Venue, desk: TradingDesk) -> None:
        self._venue = venue
        every = (*MARKET_READS, *ANALYTIC_TOOLS, *ACCOUNT_TOOLS, *trading_tools(desk))
        self._by_name = {tool.name: tool for tool in every}

    def offered(self) -> Sequence[MarketTool]:
        settings = self._venue.settings
        return [tool for tool in self._by_name.values() if not missing(tool.access, settings)]

    async def call(self, name: str, arguments: object) -> Any:
        """Raises:
        GatewayError: no such tool, it is switched off, a bad argument, or the exchange's failure.
        """
        tool = self._by_name.get(name)
        if tool is None:
            raise _unknown(name, [tool.name for tool in self.offered()])
        lacking = missing(tool.access, self._venue.settings)
        if lacking:
            raise PermissionDenied(f"{name} is switched off: {lacking}")
        given = checked(name, tool.input_schema, arguments)
        try:
            return await tool.answer(self._venue, given)
        except UnknownSymbol as error:
            # Listed an hour ago, and not any more.
            raise await self._venue.symbols.unknown(given["symbol"]) from error


def missing(access: Access, settings: MarketSettings) -> str:
    """What a tool of that access still needs, or nothing."""
    if access is not Access.PUBLIC and not settings.has_keys:
        return "this provider has no API key and secret"
    if access is Access.TRADE and not settings.may_trade:
        return "trading is not allowed by this provider's configuration"
    return ""


def _unknown(name: str, offered: Sequence[str]) -> NotFound:
    close = get_close_matches(name, offered, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else f"there are: {', '.join(offered)}"
    return NotFound(f"no tool is named {name[:60]!r}; {hint}", suggestions=close)

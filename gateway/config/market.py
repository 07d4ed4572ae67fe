"""Settings of the bundled market provider."""

from typing import Annotated

from pydantic import Field

from gateway.config.strict import Strict
from gateway.market.settings import ExchangeName, MarketSettings
from gateway.market.tool_names import ACCOUNT_TOOLS, PUBLIC_MARKET_TOOLS, TRADING_TOOLS
from gateway.tools.downstream import Exposure


class MarketConfig(Strict):
    """The bundled market provider, which runs when `services` is empty."""

    exchange: ExchangeName = "simulated"
    exchange_url: str | None = None
    api_key: Annotated[str | None, Field(repr=False)] = None
    api_secret: Annotated[str | None, Field(repr=False)] = None
    trading: bool = False
    account_for_everybody: bool = False

    def settings(self, *, host: str, port: int) -> MarketSettings:
        """Raises:
        ConfigurationError: they do not fit together, or would let everybody in.
        """
        return MarketSettings(**self.model_dump(), host=host, port=port)

    @property
    def exposure(self) -> Exposure:
        # The provider offers account and trading tools only with keys, and switched on.
        return Exposure((*PUBLIC_MARKET_TOOLS, *ACCOUNT_TOOLS), TRADING_TOOLS)

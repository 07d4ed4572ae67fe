import pytest

from gateway.errors import ConfigurationError
from gateway.market.settings import MarketSettings


@pytest.mark.parametrize(
    ("settings", "url", "source"),
    [
        (MarketSettings(), None, "simulated exchange"),
        (MarketSettings("binance"), "https://data-api.binance.vision", "Binance"),
        (
            MarketSettings("binance", api_key="k", api_secret="s"),
            "https://api.binance.com",
            "Binance",
        ),
        (MarketSettings("testnet"), "https://testnet.binance.vision", "Binance testnet"),
        (
            MarketSettings("binance", "https://api.example.com/api/v3/"),
            "https://api.example.com",
            "api.example.com",
        ),
        (MarketSettings("binance", "http://h:1/api"), "http://h:1", "h"),
        (MarketSettings("simulated", "http://h:1"), "http://h:1", "simulated exchange"),
    ],
)
def test_where_to_ask_follows_from_the_exchange(
    settings: MarketSettings, url: str | None, source: str
) -> None:
    assert (settings.url, settings.source) == (url, source)


def test_one_key_is_no_keys_and_keys_do_not_trade() -> None:
    assert not MarketSettings(api_key="k", trading=True).has_keys
    assert not MarketSettings(api_key="k", api_secret="s").may_trade
    assert MarketSettings(api_key="k", api_secret="s", trading=True).may_trade


def test_secrets_are_not_shown() -> None:
    shown = repr(MarketSettings(api_key="the-key", api_secret="the-secret"))
    assert "the-key" not in shown
    assert "the-secret" not in shown


@pytest.mark.parametrize("exchange", ["kraken", ""])
def test_an_unknown_exchange_stops_the_start(exchange: str) -> None:
    with pytest.raises(ConfigurationError, match="simulated, binance or testnet"):
        MarketSettings(exchange)  # type: ignore[arg-type]  # what a file may say


@pytest.mark.parametrize("url", ["", "api.binance.com", "ftp://x", "http://"])
def test_a_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match="it takes a URL"):
        MarketSettings("binance", url)

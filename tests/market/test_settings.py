from functools import partial
from typing import Any

import pytest

from gateway.config.settings import Config
from gateway.errors import ConfigurationError
from gateway.market.settings import (
    CHECK_SECONDS,
    LOOK_UP_SECONDS,
    READ_SECONDS,
    SEND_SECONDS,
    WRITE_SECONDS,
    MarketSettings,
)


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


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"api_key": "the-key"}, r"api_secret \(BINANCE_API_SECRET\) is missing"),
        ({"api_secret": "the-secret"}, r"api_key \(BINANCE_API_KEY\) is missing"),
        ({"api_key": "the-key", "api_secret": ""}, r"api_secret .* is missing"),
    ],
)
def test_one_key_without_the_other_stops_the_start(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as missing:
        MarketSettings(**keys)
    assert "the-" not in str(missing.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "127.evil.com", "gateway.lan"])
def test_an_account_is_not_served_to_others_in_the_clear(host: str) -> None:
    with_keys = partial(MarketSettings, api_key="k", api_secret="s")
    with pytest.raises(ConfigurationError, match="everybody could read the account"):
        with_keys(host=host)
    assert MarketSettings(host=host, trading=True).host == host
    assert with_keys(host=host, account_for_everybody=True).has_keys
    with pytest.raises(ConfigurationError, match="everybody could trade"):
        with_keys(host=host, account_for_everybody=True, trading=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_on_this_machine_an_account_may_trade(host: str) -> None:
    assert MarketSettings(host=host, api_key="k", api_secret="s", trading=True).may_trade


def test_a_confirmed_write_ends_before_a_client_of_the_gateway_is_given_up() -> None:
    assert WRITE_SECONDS >= CHECK_SECONDS + SEND_SECONDS + LOOK_UP_SECONDS
    assert MarketSettings().connect_timeout_seconds + READ_SECONDS < SEND_SECONDS
    assert Config().tool_deadline_seconds > WRITE_SECONDS


def test_keys_alone_do_not_trade() -> None:
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


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.binance.com",
        "ftp://x",
        "http://",
        "http://[",
        "http://[::1",
        "http://h:99999",
        "http://h:0",
        "http://h:port",
        "http://a b",
        "https://h?x=1",
        "https://h/#x",
        "https://user:s3cret@h",
        "https://h\n",
    ],
)
def test_a_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"exchange_url is .*it takes a URL") as wrong:
        MarketSettings("binance", url)
    assert "s3cret" not in str(wrong.value)

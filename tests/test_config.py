import traceback
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config, MarketConfig, load
from gateway.downstream.service import Tls
from gateway.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[1] / "infra" / "config" / "gateway.yaml"


def written(folder: Path, text: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(text, "utf-8")
    return file


def test_without_any_setting_it_is_safe_and_works() -> None:
    config = load(environment={})
    assert (config.host, config.port, config.url) == ("127.0.0.1", 3001, "http://127.0.0.1:3001")
    assert (config.services, config.market.exchange, config.market.trading) == (
        (), "simulated", False
    )  # fmt: skip


def test_the_shipped_example_loads_and_says_the_defaults() -> None:
    assert load(EXAMPLE, environment={}) == Config(public_url="http://127.0.0.1:3001")


def test_the_commented_service_of_the_example_loads_too(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    start = lines.index("# services:")
    block = [line.removeprefix("# ") for line in lines[start : lines.index("services: []")]]
    config = load(written(tmp_path, "\n".join(block)), environment={})
    assert config.services[0].address == "127.0.0.1:50053"
    assert config.services[0].transport == Tls(
        Path("/etc/gateway/ca.pem"),
        Path("/etc/gateway/client.pem"),
        Path("/etc/gateway/client.key"),
        "provider.internal",
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "port: 1000\nhost: ::1\nsearch: {limit: 3}")
    config = load(file, environment={"GATEWAY_PORT": "2000"}, overrides={"port": 3000})
    assert (config.port, config.host, config.search.limit) == (3000, "::1", 3)
    assert load(file, environment={"GATEWAY_PORT": "2000"}).port == 2000


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, "port: 1000")
    assert load(environment={"GATEWAY_CONFIG": str(file)}).port == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot: 1", r"gateway.yaml: prot: unknown key; it takes host, port"),
        ("search: {limt: 3}", r"gateway.yaml: search.limt: unknown key; it takes snippets, limit"),
        ("search: {limit: 11}", r"gateway.yaml: search.limit: .*less than or equal to 10, not 11"),
        ("market: {exchange: kraken}", r"market.exchange: .*'simulated', 'binance' or 'testnet'"),
        ("services: [{name: a}]", r"gateway.yaml: services.0.address: is missing"),
        ("services: [{nme: a}]", r"services.0.nme: unknown key; it takes name, address"),
        ("port: many", r"gateway.yaml: port: .*integer.*not 'many'"),
        ("port: true", r"gateway.yaml: port: should be a valid integer, not True"),
        ("port: '3001'", r"gateway.yaml: port: should be a valid integer, not '3001'"),
        ("port: 3001.0", r"port: should be a valid integer, not 3001.0"),
        ("tool_deadline_seconds: true", r"tool_deadline_seconds: should be a valid number"),
        ("tool_deadline_seconds: .inf", r"tool_deadline_seconds: should be a finite number"),
        ("search: {snippets: 'yes'}", r"search.snippets: should be a valid boolean, not 'yes'"),
        ("market: {trading: 1}", r"market.trading: should be a valid boolean, not 1"),
        ("allowed_hosts: example.com", r"allowed_hosts: .*, not 'example.com'"),
        ("allowed_hosts: [1]", r"allowed_hosts.0: should be a valid string, not 1"),
        ("market: null", r"gateway.yaml: market: should be a valid dictionary"),
        ("1: 2", r"gateway.yaml: 1: Keys should be strings"),
        ("host: 'a b'", r"gateway.yaml: host: .*, not 'a b'"),
        ("host: 'a:b'", r"gateway.yaml: host: 'a:b' is no name or address"),
        ("public_url: example.com", r"gateway.yaml: public_url: 'example.com' is no URL"),
        ("public_url: ''", r"public_url: '' is no URL"),
        ("public_url: 'https://'", r"public_url: 'https://' is no URL"),
        ("public_url: 'ftp://a.example'", r"public_url: 'ftp://a.example' is no URL"),
        ("public_url: 'https://a b.example'", r"public_url: 'https://a b.example' is no URL"),
        ("public_url: 'https://[::1'", r"public_url: 'https://\[::1' is no URL"),
        ("public_url: 'https://a:port'", r"public_url: 'https://a:port' is no URL"),
        ("public_url: 'https://a.example?b=1'", r"public_url: .* is no URL"),
        ("public_url: 'https://a.example/#b'", r"public_url: 'https://a.example/#b' is no URL"),
        ("market: {exchange_url: nowhere}", r"gateway.yaml: market: exchange_url is 'nowhere'"),
        ("market: {exchange_url: 'http://['}", r"market: exchange_url is 'http://\['"),
        ("market: {api_key: k}", r"gateway.yaml: market: api_secret .* is missing"),
        ("market: {api_secret: s}", r"gateway.yaml: market: api_key .* is missing"),
        (
            "services: [{name: a, address: h:1, tls: {key_file: k.pem}}]",
            r"gateway.yaml: services.0.tls.certificate_file: is missing",
        ),
        (
            "services: [{name: a, address: h:1, tls: {certificate_file: c.pem}}]",
            r"gateway.yaml: services.0.tls.key_file: is missing",
        ),
        ("- a\n- b", r"takes keys and values"),
        ("a: [", r"is not YAML from line 1, column 5 on"),
        ("a: 2024-99-99", r"is not YAML"),
        ("[" * 10_000, r"is not YAML"),
        ("market: {api_key: '${NO_KEY}'}", r"market: api_key: the environment has no NO_KEY"),
        ("market_service: x", r"market_service be one of them"),
    ],
)
def test_a_mistake_names_the_file_the_key_and_what_is_allowed(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(written(tmp_path, text), environment={})


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml", environment={})


def test_a_variable_takes_its_value_from_the_environment(tmp_path: Path) -> None:
    text = "port: ${PORT}\nmarket: {api_key: '${MY_KEY}', api_secret: '${MY_KEY}'}"
    text += "\ntool_deadline_seconds: ${SECONDS}\nsearch: {snippets: '${SNIPPETS}'}"
    env = {"MY_KEY": "0123", "PORT": "4000", "SECONDS": "2.5", "SNIPPETS": "False"}
    config = load(written(tmp_path, text), environment=env)
    assert (config.market.api_key, config.market.api_secret) == ("0123", "0123")
    assert (config.port, config.tool_deadline_seconds, config.search.snippets) == (4000, 2.5, False)


def test_every_variable_of_its_own_is_read() -> None:
    environment = {
        "GATEWAY_HOST": "::1",
        "GATEWAY_PORT": "4000",
        "GATEWAY_PUBLIC_URL": "http://localhost:4000/",
        "GATEWAY_MARKET_EXCHANGE": "testnet",
        "BINANCE_API_KEY": "key",
        "BINANCE_API_SECRET": "secret",
    }
    config = load(environment=environment)
    assert (config.host, config.port, config.url) == ("::1", 4000, "http://localhost:4000")
    assert config.market == MarketConfig(exchange="testnet", api_key="key", api_secret="secret")
    assert load(environment={"GATEWAY_HOST": "::1"}).url == "http://[::1]:3001"


def test_a_variable_that_is_no_number_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"settings: port: should be a valid integer"):
        load(environment={"GATEWAY_PORT": "many"})


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    config = load(environment={"BINANCE_API_KEY": "s3cret", "BINANCE_API_SECRET": "s3cret"})
    assert "s3cret" not in repr(config)


@pytest.mark.parametrize(
    "text",
    [
        "market: {api_key: [s3cret]}",
        "market: {api_key: k, api_secret: {s3cret: s3cret}}",
        "market: {api_kye: s3cret}",
        "api_key: s3cret",
        "market: [api_key, s3cret]",
        "port: {api_key: s3cret}",
        "services: [{name: a, address: h:1, token: s3cret}]",
        "services: [{name: a, address: h:1, tls: {key_file: [s3cret]}}]",
        "market: {api_key: s3cret}",
        "market: {exchange: s3cret-that-is-long-as-keys-of-exchanges-are}",
        "market: {exchange_url: s3cret-that-is-long-as-keys-of-exchanges-are}",
        "public_url: s3cret-that-is-long-as-keys-of-exchanges-are",
        "public_url: 'https://me:s3cret@h'",
        "market: {s3cret-that-is-long-as-keys-of-exchanges-are: 1}",
        "market: {exchange: '${MY_KEY}'}",
        "port: ${MY_KEY}",
        "market:\n  api_key: 's3cret\nport: 1",
        "market: {api_key: *s3cret}",
        "market: {api_key: !s3cret x}",
    ],
)
def test_a_secret_is_not_shown_wherever_it_was_put(tmp_path: Path, text: str) -> None:
    environment = {"MY_KEY": "s3cret"}
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment=environment)
    # Whatever is raised from another error shows that one, too.
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


ACCOUNT = {"BINANCE_API_KEY": "key", "BINANCE_API_SECRET": "secret"}


PUBLIC: list[dict[str, Any]] = [
    {"host": "0.0.0.0"},
    {"host": "127.evil.com"},
    {"public_url": "https://gateway.example.com"},
    {"public_url": "https://127.evil.com"},
    {"public_url": "https://localhost.evil.com:3001"},
    {"allowed_hosts": ["gateway.example.com"]},
    {"allowed_hosts": ["localhost", "gateway.example.com:8443"]},
    {"allowed_hosts": ["*"]},
    {"allowed_hosts": ["["]},
]


@pytest.mark.parametrize("overrides", PUBLIC)
def test_an_account_is_not_shown_to_everybody_by_accident(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="everybody could read the account"):
        load(environment=ACCOUNT, overrides=overrides)
    meant = {**overrides, "market": {"account_for_everybody": True}}
    assert load(environment=ACCOUNT, overrides=meant).market.api_key == "key"


@pytest.mark.parametrize("overrides", PUBLIC)
def test_nobody_trades_over_a_public_address(overrides: dict[str, Any]) -> None:
    market = {"trading": True, "account_for_everybody": True}
    with pytest.raises(ConfigurationError, match="everybody could trade, and nothing allows that"):
        load(environment=ACCOUNT, overrides={**overrides, "market": market})


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"host": "::1"},
        {"host": "127.0.0.2"},
        {"public_url": "http://localhost:3001"},
        {"allowed_hosts": ["localhost", "127.0.0.1:3001", "[::1]:3001", "::1"]},
    ],
)
def test_on_this_machine_alone_an_account_may_trade(overrides: dict[str, Any]) -> None:
    config = load(environment=ACCOUNT, overrides={**overrides, "market": {"trading": True}})
    assert config.market.settings(host="127.0.0.1", port=0).may_trade


def test_the_provider_alone_is_not_opened_to_others_with_keys() -> None:
    market = load(environment=ACCOUNT).market
    with pytest.raises(ConfigurationError, match="everybody could read the account"):
        market.settings(host="0.0.0.0", port=0)

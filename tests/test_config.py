from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config, load
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
    assert config.services[0].transport is not None


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
        ("public_url: example.com", r"public_url: 'example.com' is no URL"),
        ("- a\n- b", r"takes keys and values"),
        ("a: [", r"is not YAML"),
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
    file = written(tmp_path, "market: {api_key: '${MY_KEY}'}")
    assert load(file, environment={"MY_KEY": "secret"}).market.api_key == "secret"


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    config = load(environment={"BINANCE_API_KEY": "s3cret", "BINANCE_API_SECRET": "s3cret"})
    assert "s3cret" not in repr(config)
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, "market: {api_key: [s3cret]}"), environment={})
    assert "s3cret" not in str(caught.value)


ACCOUNT = {"BINANCE_API_KEY": "key", "BINANCE_API_SECRET": "secret"}


@pytest.mark.parametrize(
    "overrides", [{"host": "0.0.0.0"}, {"public_url": "https://gateway.example.com"}]
)
def test_an_account_is_not_shown_to_everybody_by_accident(overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="everybody could read the account"):
        load(environment=ACCOUNT, overrides=overrides)
    meant = {**overrides, "market": {"account_for_everybody": True}}
    assert load(environment=ACCOUNT, overrides=meant).market.api_key == "key"
    assert load(environment=ACCOUNT).market.api_key == "key"

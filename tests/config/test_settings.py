import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from gateway.caller import Caller
from gateway.config.market import MarketConfig
from gateway.config.settings import Config, load
from gateway.downstream.service import Tls
from gateway.errors import ConfigurationError
from gateway.llm.provider.settings import ProviderSettings
from tests.config.written import written

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "infra" / "config" / "gateway.yaml"
ENVIRONMENT = ROOT / ".env.example"


def test_without_any_setting_it_is_safe_and_works() -> None:
    config = load(environment={})
    assert (config.host, config.port, config.url) == ("127.0.0.1", 3001, "http://127.0.0.1:3001")
    assert (config.services, config.market.exchange, config.market.trading) == (
        (), "simulated", False
    )  # fmt: skip


def test_the_shipped_example_loads_and_says_the_defaults() -> None:
    assert load(EXAMPLE, environment={}) == Config(public_url="http://127.0.0.1:3001")


def commented(key: str) -> str:
    """The block of the example that shows a list of settings which is empty by default."""
    lines = EXAMPLE.read_text("utf-8").splitlines()
    block = lines[lines.index(f"# {key}:") : lines.index(f"{key}: []")]
    return "\n".join(line.removeprefix("# ") for line in block)


def test_the_commented_service_of_the_example_loads_too(tmp_path: Path) -> None:
    config = load(written(tmp_path, commented("services")), environment={})
    assert config.services[0].address == "127.0.0.1:50053"
    assert config.services[0].transport == Tls(
        Path("/etc/gateway/ca.pem"),
        Path("/etc/gateway/client.pem"),
        Path("/etc/gateway/client.key"),
        "provider.internal",
    )


def test_the_commented_providers_of_the_example_load_and_say_the_defaults(tmp_path: Path) -> None:
    environment = {"NANOGPT_API_KEY": "n", "AZURE_OPENAI_API_KEY": "a"}
    config = load(written(tmp_path, commented("providers")), environment=environment)
    assert [one.name for one in config.provider_settings] == [
        "nanogpt", "azure", "vertex", "ollama", "vllm"
    ]  # fmt: skip
    assert config.provider_settings[0] == ProviderSettings(
        "nanogpt", "nanogpt", base_url="https://nano-gpt.com/api/v1", api_key="n"
    )


def test_the_commented_limits_and_callers_of_the_example_load_too(tmp_path: Path) -> None:
    text = f"{commented('limits')}\n{commented('callers')}"
    config = load(written(tmp_path, text), environment={})
    assert [limit.name for limit in config.limits] == [
        "paid-month", "each-caller", "work-tokens", "alice-budget", "alice-requests", "alice-tokens"
    ]  # fmt: skip
    assert list(config.callers.values()) == [Caller("alice")]


def test_every_key_stands_in_the_example() -> None:
    text = EXAMPLE.read_text("utf-8")
    for name, field in Config.model_fields.items():
        assert re.search(rf"^(# )?{field.alias or name}:", text, re.MULTILINE) or (
            f"`{name}:`" in text
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
        ("services: [{name: a}]", r"gateway.yaml: services\[0\].address: is missing"),
        ("services: [{nme: a}]", r"services\[0\].nme: unknown key; it takes name, address"),
        ("port: many", r"gateway.yaml: port: .*integer.*not 'many'"),
        ("port: true", r"gateway.yaml: port: should be a valid integer, not True"),
        ("port: '3001'", r"gateway.yaml: port: should be a valid integer, not '3001'"),
        ("port: 3001.0", r"port: should be a valid integer, not 3001.0"),
        ("tool_deadline_seconds: true", r"tool_deadline_seconds: should be a valid number"),
        ("tool_deadline_seconds: .inf", r"tool_deadline_seconds: should be a finite number"),
        ("search: {snippets: 'yes'}", r"search.snippets: should be a valid boolean, not 'yes'"),
        ("market: {trading: 1}", r"market.trading: should be a valid boolean, not 1"),
        ("allowed_hosts: example.com", r"allowed_hosts: .*, not 'example.com'"),
        ("allowed_hosts: [1]", r"allowed_hosts\[0\]: should be a valid string, not 1"),
        ("market: null", r"gateway.yaml: market: should be keys with values"),
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
        ("alerts: [0]", r"alerts\[0\]: should be greater than or equal to 1, not 0"),
        ("aliases: {auto: a/b}", r"aliases: auto is an automatic route; choose another"),
        ("models: {tiers: {fre: {}}}", r"models.tiers.fre: unknown key; it takes free, paid"),
        ("unknown_price: free", r"unknown_price: should be 'refuse' or 'allow', not 'free'"),
        (
            "services: [{name: a, address: h:1, tls: {key_file: k.pem}}]",
            r"gateway.yaml: services\[0\].tls.certificate_file: is missing",
        ),
        (
            "services: [{name: a, address: h:1, tls: {certificate_file: c.pem}}]",
            r"gateway.yaml: services\[0\].tls.key_file: is missing",
        ),
        ("- a\n- b", r"takes keys and values"),
        ("a: [", r"is not YAML from line 1, column 5 on"),
        ("a: 2024-99-99", r"is not YAML"),
        ("[" * 10_000, r"is not YAML"),
        ("market: {api_key: '${NO_KEY}'}", r"market.api_key: the environment has no NO_KEY"),
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


def test_where_it_listens_and_what_the_market_provider_reads_may_come_from_the_environment() -> (
    None
):
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


def test_an_empty_variable_is_not_set() -> None:
    asked: set[str] = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: object = None) -> str:
            asked.add(name)
            return ""

    assert load(environment=Environment()) == Config()
    assert len(asked) > 30


def test_the_example_of_the_environment_names_what_is_read_and_sets_nothing() -> None:
    asked: set[str] = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: object = None) -> None:  # type: ignore[override]  # records
            asked.add(name)

    load(environment=Environment())
    lines = ENVIRONMENT.read_text("utf-8").splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown == dict.fromkeys(asked, "")


def test_data_is_kept_where_the_environment_says_and_nothing_is_made_yet(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    config = load(environment={"MCP_DATABASE_DIR": str(folder), "XDG_DATA_HOME": "/elsewhere"})
    assert (config.data_dir, config.database) == (folder, f"sqlite:///{folder}/gateway.db")
    assert not folder.exists()
    other = load(environment={"XDG_DATA_HOME": str(tmp_path)})
    assert other.data_dir == tmp_path / "gateway"
    assert load(environment={}).data_dir == Path.home() / ".local" / "share" / "gateway"
    assert load(environment={"MCP_DATABASE_DIR": "~/data"}).data_dir == Path.home() / "data"


def test_the_database_may_be_one_that_replicas_share() -> None:
    url = "postgresql://me:s3cret@127.0.0.1/gateway"
    config = load(environment={"GATEWAY_DATABASE_URL": url})
    assert config.database == url
    assert "s3cret" not in repr(config)
    with pytest.raises(ConfigurationError, match=r"database_url .*it takes sqlite:///") as caught:
        load(environment={"GATEWAY_DATABASE_URL": "mysql://me:s3cret@h/d"})
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_no_number_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"settings: port: should be a valid integer"):
        load(environment={"GATEWAY_PORT": "many"})


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    config = load(environment={"BINANCE_API_KEY": "s3cret", "BINANCE_API_SECRET": "s3cret"})
    assert "s3cret" not in repr(config)


SECRETS_IN_WRONG_PLACES = [
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
    "providers: [{kind: nanogpt, api_key: [s3cret]}]",
    "providers: [{kind: nanogpt, api_key: 5, headers: {x: [s3cret]}}]",
    "providers: [{kind: openai, headers: {authorization: 77777}, api_kye: s3cret}]",
    "providers: [{kind: azure, api_key: s3cret}]",
    "providers: [{kind: azure, api_key: s3cret, base_url: https://a, deployments: {a: 1}}]",
    "providers: [{kind: '${MY_KEY}'}]",
    "providers: [{kind: nanogpt, name: '${MY_KEY} '}, {kind: nanogpt, api_key: s3cret}]",
    "providers: [{kind: ollama, base_url: 'http://me:s3cret@h'}]",
    "providers: [{kind: ollama, proxy: [s3cret], max_concurrent: '${MY_KEY}'}]",
    "providers: [{kind: vertex, api_key: s3cret}]",
    "providers: s3cret-that-is-long-as-keys-of-providers-are",
    "llm_provider: s3cret",
    "models_file: {api_key: s3cret}",
    "models: {api: {api_key: [s3cret]}}",
    "models: {api: {base_url: 'http://me:s3cret@h'}}",
    "models: {api: {base_url: '${MY_KEY}'}}",
    "models: {quota: {tracking_window: '${MY_KEY}'}}",
    "models: {api: {timeout: '${MY_KEY}'}}",
    "database_url: 'oracle://me:s3cret@h/d'",
    "database_url: 's3cret'",
    "database_url: [s3cret]",
    "callers: [{name: a, key_sha256: s3cret}]",
    "callers: [{name: a, key: s3cret}]",
    "limits: [{name: a, budget_usd: '${MY_KEY}', window: day}]",
    "max_parallel_tasks: '${MY_NUMBER}'\nport: '${MY_NUMBER}'",
    "tool_deadline_seconds: '${MY_NUMBER}'\nsearch: {deadline_seconds: '${MY_MINUS}'}",
]


@pytest.mark.parametrize("text", SECRETS_IN_WRONG_PLACES)
def test_a_secret_is_not_shown_wherever_it_was_put(tmp_path: Path, text: str) -> None:
    environment = {"MY_KEY": "s3cret", "MY_NUMBER": "77777", "MY_MINUS": "-77777"}
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment=environment)
    # Whatever is raised from another error shows that one, too.
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in shown
    assert "77777" not in shown


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
    # Bound to a public address, it wants keys for the models as well.
    environment = {**ACCOUNT, "GATEWAY_API_KEYS": "owner=0123456789abcdef"}
    assert load(environment=environment, overrides=meant).market.api_key == "key"


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

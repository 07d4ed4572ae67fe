import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import load
from gateway.errors import ConfigurationError
from gateway.llm.provider.settings import (
    MetadataServer,
    ProviderSettings,
    RefreshToken,
    ServiceAccount,
    Timeouts,
)
from tests.config.written import written


def only(environment: dict[str, str], file: Path | None = None) -> ProviderSettings:
    (provider,) = load(file, environment=environment).provider_settings
    return provider


def test_without_any_key_there_is_no_provider_and_nothing_is_wrong() -> None:
    assert load(environment={}).provider_settings == ()


@pytest.mark.parametrize("kind", ["nanogpt", "openrouter", "openai", "anthropic"])
def test_one_variable_is_enough_for_a_hosted_provider(kind: str) -> None:
    provider = only({f"{kind.upper()}_API_KEY": "k"})
    assert (provider.name, provider.kind, provider.api_key) == (kind, kind, "k")
    assert provider.base_url is None
    elsewhere = {f"{kind.upper()}_API_KEY": "k", f"{kind.upper()}_BASE_URL": "http://127.0.0.1:9"}
    assert only(elsewhere).base_url == "http://127.0.0.1:9"


def test_an_address_without_its_key_configures_nothing() -> None:
    assert load(environment={"OPENAI_BASE_URL": "http://127.0.0.1:9"}).provider_settings == ()


@pytest.mark.parametrize(
    "names",
    [("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"), ("AZURE_API_KEY", "AZURE_ENDPOINT")],
)
def test_azure_knows_which_model_each_deployment_is(names: tuple[str, str]) -> None:
    key, endpoint = names
    deployments = "my-gpt=gpt-5.5, small = gpt-5.4-mini,"
    provider = only(
        {key: "k", endpoint: "https://r.example.com/", "AZURE_OPENAI_DEPLOYMENTS": deployments}
    )
    assert provider.base_url == "https://r.example.com/openai/v1"
    assert provider.deployments == {"my-gpt": "gpt-5.5", "small": "gpt-5.4-mini"}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AZURE_API_KEY": "s3cret"}, r"\(azure\): base_url: is missing; set AZURE_OPENAI_ENDP"),
        (
            {"AZURE_API_KEY": "s3cret", "AZURE_ENDPOINT": "https://r.example.com"},
            r"\(azure\): deployments: is missing: .*AZURE_OPENAI_DEPLOYMENTS=my-gpt=",
        ),
        ({"AZURE_OPENAI_DEPLOYMENTS": "gpt"}, r"AZURE_OPENAI_DEPLOYMENTS takes deployment=model"),
        (
            {"OPENAI_API_KEY": "s3cret", "OPENAI_BASE_URL": "h:1"},
            r"providers\[0\].base_url: takes a URL .*; OPENAI_BASE_URL gives another",
        ),
        ({"VERTEX_PROJECT": "p"}, r"credentials_file: is missing; set GOOGLE_APPLICATION_CRED"),
        (
            {"VERTEX_PROJECT": "p/../q", "GOOGLE_APPLICATION_CREDENTIALS": "metadata"},
            r"providers\[0\].project: .*; VERTEX_PROJECT gives another",
        ),
        (
            {"VERTEX_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/none.json"},
            r"\(vertex\): credentials_file /none.json: cannot be read: No such file",
        ),
        ({"LLM_PROVIDER": "openai"}, r"LLM_PROVIDER\): openai is not configured; set OPENAI_API_K"),
        ({"LLM_PROVIDER": "s3cret"}, r"no provider has this name; it takes one, such as nanogpt"),
        (
            {"LLM_PROVIDER": "s3cret", "OPENAI_API_KEY": "k", "OLLAMA_HOST": "h"},
            r"no provider has this name; it takes one of those that are: openai, ollama",
        ),
    ],
)
def test_a_provider_that_is_half_configured_says_what_to_set(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        load(environment=environment)
    assert "s3cret" not in str(caught.value)


def credentials(folder: Path, content: Any) -> Path:
    return written(folder, json.dumps(content), "google.json")


ACCOUNT = {"type": "service_account", "client_email": "a@b.example", "private_key": "s3cret"}
USER = {
    "type": "authorized_user",
    "client_id": "i",
    "client_secret": "s3cret",
    "refresh_token": "s3cret",
}


def test_vertex_signs_in_as_a_service_account_a_user_or_the_machine(tmp_path: Path) -> None:
    file = credentials(tmp_path, ACCOUNT)
    environment = {"VERTEX_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    provider = only(environment)
    assert provider.google == ServiceAccount("a@b.example", "s3cret")
    assert provider.base_url == (
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi"
    )
    regional = only({**environment, "VERTEX_LOCATION": "europe-west1"}).base_url
    assert regional is not None
    assert regional.startswith("https://europe-west1-aiplatform.googleapis.com/v1/projects/p/")
    credentials(tmp_path, USER)
    assert only(environment).google == RefreshToken("i", "s3cret", "s3cret")
    machine = {"VERTEX_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "metadata"}
    assert only(machine).google == MetadataServer()


def test_a_project_that_other_programs_use_means_vertex_only_with_credentials() -> None:
    assert load(environment={"GOOGLE_CLOUD_PROJECT": "p"}).provider_settings == ()
    environment = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "metadata"}
    assert only(environment).kind == "vertex"


@pytest.mark.parametrize(
    "text",
    ["s3cret", '"s3cret"', '{"type": "s3"}', '{"type": "service_account", "x": "s3cret"}'],
)
def test_google_s_credentials_are_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text, "google.json")
    environment = {"VERTEX_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    with pytest.raises(ConfigurationError, match="credentials_file") as caught:
        load(environment=environment)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu.lan", "http://gpu.lan:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("https://gpu.example.com/", "https://gpu.example.com"),
    ],
)
def test_ollama_s_host_is_read_as_ollama_reads_it(host: str, url: str) -> None:
    assert only({"OLLAMA_HOST": host}).base_url == url
    both = {"OLLAMA_HOST": host, "OLLAMA_BASE_URL": "http://127.0.0.1:9"}
    assert only(both).base_url == "http://127.0.0.1:9"


def test_lm_studio_is_found_by_its_address() -> None:
    provider = only({"LMSTUDIO_BASE_URL": "http://127.0.0.1:1234/v1"})
    assert (provider.kind, provider.base_url) == ("lmstudio", "http://127.0.0.1:1234/v1")


def test_a_file_wins_over_the_environment_which_fills_what_it_leaves_open(tmp_path: Path) -> None:
    text = "providers: [{kind: openai, base_url: 'http://127.0.0.1:9', timeouts: {connect: 1}}]"
    environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1"}
    provider = only(environment, written(tmp_path, text))
    assert (provider.base_url, provider.api_key) == ("http://127.0.0.1:9", "k")
    assert provider.timeouts == Timeouts(connect_seconds=1)
    text = "providers: [{kind: openai, api_key: '${MINE}'}]"
    mine = only({**environment, "MINE": "mine"}, written(tmp_path, text))
    assert (mine.base_url, mine.api_key) == ("http://127.0.0.1:1", "mine")


def test_a_key_of_the_environment_is_not_sent_to_another_kind_of_that_name(tmp_path: Path) -> None:
    text = "providers: [{name: openai, kind: openai_compatible, base_url: 'http://h:1/v1'}]"
    provider = only({"OPENAI_API_KEY": "k"}, written(tmp_path, text))
    assert (provider.name, provider.api_key) == ("openai", None)


def test_providers_of_the_file_and_of_the_environment_stand_side_by_side(tmp_path: Path) -> None:
    text = "providers: [{kind: nanogpt, name: second, api_key: two}]"
    config = load(written(tmp_path, text), environment={"NANOGPT_API_KEY": "one"})
    assert [(one.name, one.api_key) for one in config.provider_settings] == [
        ("second", "two"), ("nanogpt", "one")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("providers: [{kind: opnai}]", r"providers\[0\].kind: should be 'nanogpt', 'openrouter'"),
        ("providers: [{name: x}]", r"providers\[0\].kind: is missing"),
        ("providers: [{kind: ollama, nme: x}]", r"providers\[0\].nme: unknown key; it takes kind"),
        (
            "providers: [{kind: openai}]",
            r"providers\[0\] \(openai\): api_key: is missing; set OPEN",
        ),
        ("providers: [{kind: openai_compatible}]", r"base_url: is missing, such as http"),
        ("providers: [{kind: vertex}]", r"project: is missing; set VERTEX_PROJECT"),
        ("providers: [{kind: ollama, timeouts: {conect: 1}}]", r"it takes connect, first_token"),
        ("providers: [{kind: ollama}, {kind: ollama}]", r"providers: two have the name ollama"),
        ("providers: [{kind: ollama, name: A/b}]", r"providers\[0\].name: .*, not 'A/b'"),
    ],
)
def test_a_mistake_in_providers_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(written(tmp_path, text), environment={})


def test_one_provider_can_be_forced_in_any_case_of_letters() -> None:
    environment = {"OPENAI_API_KEY": "k", "OPENROUTER_API_KEY": "k", "LLM_PROVIDER": "OpenRouter"}
    config = load(environment=environment)
    assert config.policy.forced_provider == "openrouter"
    assert len(config.provider_settings) == 2


def test_a_key_is_not_in_the_representation_of_any_setting() -> None:
    environment = {
        f"{kind}_API_KEY": "s3cret" for kind in ("NANOGPT", "OPENROUTER", "OPENAI", "ANTHROPIC")
    }
    config = load(environment=environment, overrides={"models": {"api": {"api_key": "s3cret"}}})
    assert "s3cret" not in repr(config) + repr(config.provider_settings)

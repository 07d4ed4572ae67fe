from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.config.settings import Config, load
from gateway.errors import ConfigurationError
from gateway.llm.catalog.embedded import read
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.policy import FallbackAction
from gateway.usage.limit import Dimension, Limit
from gateway.usage.window import Window
from tests.config.written import written

EXAMPLE = Path(__file__).parents[2] / "infra" / "config" / "models.yaml"
FREE = ("nanogpt/deepseek/deepseek-v4-flash", "nanogpt/qwen/qwen3-coder", "nanogpt/zai-org/glm-5.1")
PAID = ("nanogpt/anthropic/claude-sonnet-4.6", "nanogpt/openai/gpt-5.4-mini")


def loaded(folder: Path, text: str, **environment: str) -> Config:
    file = written(folder, text, "models.yaml")
    return load(environment={"GATEWAY_MODELS": str(file), **environment})


def test_the_shipped_example_becomes_a_policy() -> None:
    policy = load(environment={"GATEWAY_MODELS": str(EXAMPLE)}).policy
    assert (policy.strategy, policy.tier_order) == ("task_based", ("free", "paid"))
    assert (policy.free_models, policy.paid_models) == (FREE, PAID)
    assert policy.task_models == {
        "coding:low": (FREE[1],),
        "coding:medium": (FREE[1],),
        "coding:high": (FREE[0], PAID[0]),
        "research": (FREE[0],),
        "quick": (FREE[2], PAID[1]),
        "creative": ("free",),
    }
    assert policy.aliases == {"sonnet": PAID[0]}
    assert policy.on_quota_exceeded == (
        FallbackAction("use_cheaper_model", alternative=PAID[1]),
        FallbackAction("use_paid", max_cost_microusd=50_000),
        FallbackAction("error", message="The free quota is used up and no budget is left."),
    )
    assert policy.fallback == ("next_model", "larger_context", "cheaper", "local")
    assert policy.may_pay


def test_the_shipped_example_becomes_limits_and_overrides() -> None:
    config = load(environment={"GATEWAY_MODELS": str(EXAMPLE)})
    month = Window("rolling", 30)
    subscription: Mapping[Dimension, str] = {"tier": "free", "provider": "nanogpt"}
    assert config.limits == (
        Limit("nanogpt-requests", "requests", 60_000, month, where=subscription),
        Limit("paid-budget", "microusd", 20_000_000, month, where={"tier": "paid"}),
    )
    by_id = {override.id: override for override in config.model_overrides}
    assert tuple(by_id) == FREE + PAID
    assert by_id[PAID[0]] == ModelOverride(
        PAID[0],
        tier="paid",
        context_tokens=200_000,
        max_output_tokens=8_192,
        input_usd=Decimal("3.0"),
        output_usd=Decimal("15.0"),
        cache_read_usd=Decimal("0.3"),
        cache_write_usd=Decimal("3.75"),
        use_cases=("complex", "coding"),
        aliases=("sonnet",),
    )
    assert by_id[PAID[1]].cost_per_request_microusd == 2_000
    assert (by_id[FREE[0]].cost_per_request_microusd, by_id[FREE[0]].tier) == (0, "free")
    assert by_id[FREE[2]] == ModelOverride(FREE[2], tier="free")


def test_the_catalog_knows_every_model_of_the_example() -> None:
    known = {model.id for models in read().models.values() for model in models}
    assert known.issuperset(FREE + PAID)


def test_the_example_needs_no_key_and_takes_the_one_of_the_environment() -> None:
    assert load(environment={"GATEWAY_MODELS": str(EXAMPLE)}).provider_settings == ()
    environment = {"GATEWAY_MODELS": str(EXAMPLE), "NANOGPT_API_KEY": "k"}
    (provider,) = load(environment=environment).provider_settings
    assert (provider.name, provider.api_key) == ("nanogpt", "k")
    assert provider.base_url == "https://nano-gpt.com/api/v1"
    assert provider.timeouts.first_token_seconds == 120


def test_api_alone_configures_a_provider(tmp_path: Path) -> None:
    text = "api: {provider: openrouter, api_key: '${MINE}', base_url: 'http://127.0.0.1:9/v1'}"
    (provider,) = loaded(tmp_path, text, MINE="mine").provider_settings
    assert (provider.name, provider.kind, provider.api_key) == ("openrouter", "openrouter", "mine")
    (local,) = loaded(tmp_path, "api: {provider: ollama}").provider_settings
    assert local.kind == "ollama"


def test_gateway_yaml_names_it_from_its_own_folder_or_holds_it_itself(tmp_path: Path) -> None:
    written(tmp_path, "model_selection: {strategy: least_cost}", "mine.yaml")
    file = written(tmp_path, "models_file: mine.yaml")
    assert load(file, environment={}).policy.strategy == "least_cost"
    inside = written(tmp_path, "models: {model_selection: {strategy: round_robin}}")
    assert load(inside, environment={}).policy.strategy == "round_robin"
    both = written(tmp_path, "models_file: mine.yaml\nmodels: {}")
    with pytest.raises(ConfigurationError, match="models_file and models are both set"):
        load(both, environment={})


@pytest.mark.parametrize(
    ("written_id", "model_id"),
    [
        ("deepseek-v4", "nanogpt/deepseek-v4"),
        ("qwen/qwen3-coder", "nanogpt/qwen/qwen3-coder"),
        ("nanogpt/qwen/qwen3-coder", "nanogpt/qwen/qwen3-coder"),
        ("openrouter/qwen/qwen3-coder:free", "openrouter/qwen/qwen3-coder:free"),
        ("openai/gpt-5.5", "nanogpt/openai/gpt-5.5"),
        ("anthropic/claude-opus-5", "anthropic/claude-opus-5"),
        ("vllm/mine", "vllm/mine"),
    ],
)
def test_a_model_without_a_provider_is_of_the_api_s(
    tmp_path: Path, written_id: str, model_id: str
) -> None:
    models = written(tmp_path, f"tiers: {{free: {{models: ['{written_id}']}}}}", "models.yaml")
    providers = "[{name: vllm, kind: openai_compatible, base_url: 'http://h:1/v1'}]"
    file = written(tmp_path, f"models_file: {models}\nproviders: {providers}")
    config = load(file, environment={"ANTHROPIC_API_KEY": "k"})
    assert config.policy.free_models == (model_id,)


def test_tiers_come_in_the_order_of_their_priorities(tmp_path: Path) -> None:
    config = loaded(tmp_path, "tiers: {free: {priority: 2}, paid: {priority: 1}}")
    assert config.policy.tier_order == ("paid", "free")


@pytest.mark.parametrize(
    ("quota", "unit", "most", "window"),
    [
        ("2000", "requests", 2000, "month"),
        ("{requests: 2000}", "requests", 2000, "month"),
        ("{monthly_limit: 2000, tracking_window: day}", "requests", 2000, "day"),
        ("{tokens: 5}", "tokens", 5, "month"),
        ("{input_tokens: 5}", "input_tokens", 5, "month"),
    ],
)
def test_a_quota_counts_in_its_own_window_or_that_of_the_file(
    tmp_path: Path, quota: str, unit: str, most: int, window: str
) -> None:
    text = f"quota: {{tracking_window: month}}\ntiers: {{free: {{quota: {quota}}}}}"
    (limit,) = loaded(tmp_path, text).limits
    assert (limit.unit, limit.most, str(limit.window)) == (unit, most, window)
    assert (limit.where, limit.is_hard) == ({"tier": "free"}, True)


def test_one_fallback_may_stand_without_a_list(tmp_path: Path) -> None:
    text = "fallback: {on_quota_exceeded: {action: error, message: come back}}"
    assert loaded(tmp_path, text).policy.on_quota_exceeded == (
        FallbackAction("error", message="come back"),
    )


@pytest.mark.parametrize(
    ("text", "strategies"),
    [
        ("{}", ("next_model", "larger_context", "cheaper", "local")),
        ("fallback: {strategies: []}", ()),
        ("fallback: {strategies: degraded}", ("degraded",)),
        ("fallback: {strategies: [local, next_model]}", ("local", "next_model")),
    ],
)
def test_fallback_strategies_are_those_of_the_list_in_its_order(
    tmp_path: Path, text: str, strategies: tuple[str, ...]
) -> None:
    policy = loaded(tmp_path, text).policy
    assert policy.fallback == strategies
    assert (policy.degrades_work, policy.degrades_named) == (False, False)


def test_models_are_tried_to_learn_of_them_only_where_that_is_said(tmp_path: Path) -> None:
    policy = loaded(tmp_path, "{}").policy
    assert (policy.explore_share, policy.explores_work) == (0.0, False)
    text = "model_selection: {explore: {share: 0.1, work: true}}"
    policy = loaded(tmp_path, text).policy
    assert (policy.explore_share, policy.explores_work) == (0.1, True)


def test_degraded_answers_are_for_work_and_named_models_only_where_that_is_said(
    tmp_path: Path,
) -> None:
    text = "fallback: {strategies: [degraded], degraded: {work: true, named: true}}"
    policy = loaded(tmp_path, text).policy
    assert (policy.degrades_work, policy.degrades_named) == (True, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "tiers: {free: {models: [{id: a, contxt: 1}]}}",
            r"^models.yaml: tiers.free.models\[0\].contxt: unknown key; it takes id, max_tokens, ",
        ),
        ("tiers: {gold: {}}", r"tiers.gold: unknown key; it takes free, paid"),
        ("tiers: {free: {models: [5]}}", r"tiers.free.models\[0\]: should be keys with values"),
        ("tiers: {free: {models: [{max_tokens: 1}]}}", r"tiers.free.models\[0\].id: is missing"),
        ("tiers: {free: {models: [{id: a, input_price: -1}]}}", r"input_price: .*, not -1"),
        (
            "tiers: {paid: {budget_limit: '20'}}",
            r"budget_limit: should be a valid number, not '20'",
        ),
        ("tiers: {free: {quota: true}}", r"tiers.free.quota: should be keys with values"),
        (
            "tiers: {free: {quota: {rqs: 1}}}",
            r"tiers.free.quota.rqs: unknown key; it takes monthly",
        ),
        ("quota: {monthly_limit: 1, requests: 1}", r"quota: monthly_limit and requests are the"),
        ("quota: {tracking_window: 30d}", r"quota.tracking_window: takes day, .*, not '30d'"),
        ("quota: {tracking_window: rolling_0_days}", r"takes day, week, month or rolling_N_days"),
        ("model_selection: {strategy: best}", r"strategy: should be 'task_based', .*, not 'best'"),
        (
            "model_selection: {task_mapping: {codign: a}}",
            r"task_mapping: takes the tasks coding, research, .*, not 'codign'",
        ),
        (
            "model_selection: {task_mapping: {coding: {hard: a}}}",
            r"coding takes the complexities low, medium, high, simple, complex, not 'hard'",
        ),
        ("model_selection: {task_mapping: {coding: [1]}}", r"task_mapping.coding\[0\]: .*, not 1"),
        ("model_selection: {explore: {share: 0.9}}", r"explore\.share: .*0\.5"),
        ("fallback: {on_quota_exceeded: {action: pay}}", r"action: should be 'use_paid', .* 'pay'"),
        (
            "fallback: {on_quota_exceeded: [{action: error, max_cost: 1}]}",
            r"on_quota_exceeded\[0\]: max_cost goes with action: use_paid, not error",
        ),
        (
            "fallback: {strategies: [next_modell]}",
            r"strategies: takes next_model, larger_context, .*, each once, not 'next_modell'",
        ),
        ("fallback: {strategies: [local, local]}", r"each once; local stands there twice"),
        ("fallback: {strategies: {local: true}}", r"strategies: should be a list"),
        (
            "fallback: {degraded: {work: true}}",
            r"fallback: degraded goes with strategies that name degraded",
        ),
        (
            "fallback: {degraded: {always: true}}",
            r"fallback.degraded.always: unknown key; it takes work, named",
        ),
        ("api: {base_url: nowhere}", r"^models.yaml: api.base_url: takes a URL .*, not 'nowhere'"),
        ("api: {provider: Open AI}", r"api.provider: .*, not 'Open AI'"),
        ("tires: {}", r"models.yaml: tires: unknown key; it takes api, quota, tiers, "),
        ("- a", r"models.yaml: takes keys and values"),
        ("api: {api_key: '${NONE}'}", r"models.yaml: api.api_key: the environment has no NONE"),
        (
            "tiers: {free: {models: [{id: a, aliases: [x]}, {id: b, aliases: [x]}]}}",
            r"aliases: x stands for nanogpt/a and nanogpt/b; remove one",
        ),
    ],
)
def test_a_mistake_names_the_file_the_key_and_what_is_allowed(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        loaded(tmp_path, text)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read: No such file"):
        load(environment={"GATEWAY_MODELS": str(tmp_path / "none.yaml")})

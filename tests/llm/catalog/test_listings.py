"""What each provider's live model list tells."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadAnswer
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.facts import Facts
from gateway.llm.catalog.listings import listed
from gateway.llm.listing import Listing, ListingKind

TODAY = date(2026, 11, 21)
RECORDED = Path(__file__).parent / "recorded"


def dated(kind: ListingKind, body: Any, subject: str | None = None) -> DatedListing:
    return DatedListing(Listing(kind, body, subject), TODAY)


def read(*answers: DatedListing) -> Sequence[Facts]:
    facts = listed(answers)
    assert facts is not None
    return facts


def nanogpt(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "object": "model", **more}


def test_the_recorded_openrouter_list_is_read_whole() -> None:
    body = json.loads((RECORDED / "openrouter_models_2026-08-01.json").read_text("utf-8"))
    facts = {one.name: one for one in read(dated("openrouter", body))}
    assert len(facts) == body["total_count"]
    claude = facts["anthropic/claude-opus-4.8"]
    assert claude.title == "Claude Opus 4.8"
    assert claude.has_tools
    assert claude.input_modalities is not None
    assert claude.input_modalities >= {"text", "image", "pdf"}
    assert claude.price is not None
    assert claude.price.as_of == TODAY
    assert claude.price.rates.cache_write == Decimal("6.25")
    assert facts["openrouter/auto"].price is None
    free = facts["openai/gpt-oss-20b:free"].price
    assert free is not None
    assert free.is_free


def test_nanogpts_detailed_list_has_prices_limits_and_abilities() -> None:
    row = nanogpt(
        "deepseek/deepseek-v4",
        created=1764547200,
        name="DeepSeek V4",
        description="A model.  It thinks.",
        context_length=128000,
        max_output_tokens=16384,
        capabilities={"vision": True, "reasoning": False, "tool_calling": True},
        architecture={"input_modalities": ["text", "image"]},
        pricing={
            "prompt": 2.5,
            "completion": 10.0,
            "currency": "USD",
            "unit": "per_million_tokens",
        },
        cost_estimate={"any": "object"},
    )
    (model,) = read(dated("nanogpt_detailed", {"object": "list", "data": [row]}))
    assert (model.title, model.context_tokens, model.max_output_tokens) == (
        "DeepSeek V4",
        128_000,
        16_384,
    )
    assert model.input_modalities == frozenset({"text", "image"})
    assert (model.has_tools, model.has_reasoning, model.has_structured_output) == (
        True,
        False,
        None,
    )
    assert model.price is not None
    assert model.price.rates.input == Decimal("2.5")
    assert model.price.rates.cache_read is None
    assert model.description == "A model."


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"prompt": 0, "completion": 0},
        {"prompt": 1, "completion": 2, "currency": "EUR"},
        {"prompt": 1, "completion": 2, "unit": "per_image"},
        {"prompt": -1, "completion": -1},
        {"prompt": "free", "completion": None},
    ],
)
def test_a_nanogpt_price_that_cannot_be_trusted_is_unknown(pricing: dict[str, Any]) -> None:
    (model,) = read(dated("nanogpt_detailed", {"data": [nanogpt("a/b", pricing=pricing)]}))
    assert model.price is None


def test_what_the_subscription_includes_can_also_be_paid() -> None:
    price = {"prompt": 1, "completion": 2, "currency": "USD", "unit": "per_million_tokens"}
    facts = read(
        dated(
            "nanogpt_detailed",
            {"data": [nanogpt("open", pricing=price), nanogpt("closed", pricing=price)]},
        ),
        dated("nanogpt_subscription", {"data": [nanogpt("open"), nanogpt("only-included")]}),
        dated("nanogpt_personalized", {"data": [nanogpt("closed", context_length=9_000)]}),
    )
    assert sorted((one.name, one.is_included) for one in facts) == [
        ("closed", False),
        ("only-included", True),
        ("open", False),
        ("open", True),
    ]
    included = next(one for one in facts if one.name == "open" and one.is_included)
    assert included.price is not None, "what a call is worth stays known"
    closed = next(one for one in facts if one.name == "closed")
    assert closed.details == {"personalized": "yes"}
    assert closed.context_tokens == 9_000
    assert closed.price is not None


def test_an_ollama_tells_what_its_models_can_do_and_which_are_loaded() -> None:
    facts = read(
        dated(
            "ollama_tags",
            {
                "models": [
                    {"name": "qwen3:8b"},
                    {"name": "nomic-embed-text:latest"},
                    {"name": "gpt-oss:120b-cloud", "remote_host": "https://ollama.com:443"},
                ]
            },
        ),
        dated(
            "ollama_show",
            {
                "capabilities": ["completion", "tools", "thinking"],
                "model_info": {
                    "general.architecture": "qwen3",
                    "qwen3.context_length": 40960,
                    "qwen3.embedding_length": 4096,
                },
            },
            "qwen3:8b",
        ),
        dated("ollama_show", {"capabilities": ["embedding"]}, "nomic-embed-text:latest"),
        dated("ollama_ps", {"models": [{"name": "qwen3:8b", "size_vram": 1}]}),
    )
    qwen, nomic, cloud = facts
    assert (qwen.context_tokens, qwen.has_tools, qwen.has_reasoning) == (40_960, True, True)
    assert qwen.input_modalities == frozenset({"text"})
    assert qwen.details == {"loaded": "yes"}
    assert qwen.is_local
    assert qwen.price is not None
    assert qwen.price.is_free
    assert qwen.price.source == "local"
    assert nomic.output_modalities == frozenset({"embedding"})
    assert (cloud.is_local, cloud.price, cloud.has_tools) == (False, None, None)


def test_lm_studio_is_read_by_its_own_list_before_the_plain_one() -> None:
    own = {
        "models": [
            {
                "type": "llm",
                "key": "qwen/qwen3-30b",
                "display_name": "Qwen3 30B",
                "max_context_length": 262144,
                "loaded_instances": [{"id": "1", "config": {"context_length": 8192}}],
                "capabilities": {"vision": True, "trained_for_tool_use": True},
            },
            {"type": "embedding", "key": "nomic", "max_context_length": 2048},
        ]
    }
    plain = {"data": [{"id": "qwen/qwen3-30b"}]}
    qwen, nomic = read(dated("openai", plain), dated("lmstudio", own))
    assert qwen.context_tokens == 8_192, "as it was loaded"
    assert qwen.has_tools
    assert qwen.input_modalities == frozenset({"text", "image"})
    assert qwen.details == {"loaded": "yes"}
    assert nomic.output_modalities == frozenset({"embedding"})
    assert nomic.details is None
    assert qwen.is_local
    assert nomic.is_local


def test_the_older_list_of_lm_studio_is_read_too() -> None:
    body = {
        "data": [
            {
                "id": "qwen2-vl",
                "type": "vlm",
                "state": "not-loaded",
                "max_context_length": 32768,
                "capabilities": ["tool_use"],
            }
        ]
    }
    (model,) = read(dated("lmstudio", body))
    assert (model.context_tokens, model.has_tools) == (32_768, True)
    assert model.input_modalities == frozenset({"text", "image"})
    assert model.is_local


def test_anthropics_list_has_limits_and_abilities() -> None:
    body = {
        "data": [
            {
                "id": "claude-opus-5-5",
                "type": "model",
                "display_name": "Claude Opus 5.5",
                "created_at": "2026-09-24T00:00:00Z",
                "max_input_tokens": 1000000,
                "max_tokens": 128000,
                "capabilities": {
                    "image_input": {"supported": True},
                    "pdf_input": {"supported": True},
                    "structured_outputs": {"supported": True},
                    "thinking": {"supported": True, "types": {}},
                },
            },
            {"id": "claude-old"},
        ],
        "has_more": False,
    }
    opus, old = read(dated("anthropic", body))
    assert opus.input_modalities == frozenset({"text", "image", "pdf"})
    assert (opus.context_tokens, opus.max_output_tokens) == (1_000_000, 128_000)
    assert opus.has_structured_output
    assert opus.has_reasoning
    assert opus.released == date(2026, 9, 24)
    assert (old.context_tokens, old.input_modalities, old.has_reasoning) == (None, None, None)


def test_a_plain_list_tells_by_the_name_what_does_not_chat() -> None:
    names = ["gpt-6-sol", "text-embedding-3-small", "sora-3", "gpt-4o-mini-tts", "whisper-1"]
    facts = read(dated("openai", {"data": [{"id": name, "created": 1} for name in names]}))
    assert [one.output_modalities for one in facts] == [
        None,
        {"embedding"},
        {"video"},
        {"audio"},
        None,
    ]
    assert facts[-1].input_modalities == frozenset({"audio"})
    assert all(one.price is None for one in facts)


@pytest.mark.parametrize(
    "kind",
    ["openrouter", "nanogpt_detailed", "nanogpt_subscription", "anthropic", "openai", "lmstudio"],
)
@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, {"data": 5}, None, "text"])
def test_nonsense_is_a_bad_answer(kind: ListingKind, body: Any) -> None:
    with pytest.raises(BadAnswer):
        listed([dated(kind, body)])


def test_an_entry_that_makes_no_sense_costs_only_itself() -> None:
    rows = [None, 7, {}, {"id": 5}, {"id": "  "}, {"id": "good", "pricing": [], "created": "x"}]
    for kind in ("openrouter", "nanogpt_detailed", "openai", "anthropic"):
        assert [one.name for one in read(dated(kind, {"data": rows}))] == ["good"], kind

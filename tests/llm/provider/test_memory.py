from typing import Any

import pytest

from gateway.llm.model import Model
from gateway.llm.provider.memory import loaded_bytes
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings
from tests.stand_ins.llm.server import LlmStandIn


async def memory(said: Any, name: str = "qwen3:8b", *, kind: str = "ollama") -> int | None:
    async with LlmStandIn(kind) as stand_in:
        stand_in.answers["/api/ps"] = said
        settings = ProviderSettings(kind, kind, base_url=stand_in.base_url, api_key="sk")  # type: ignore[arg-type]
        async with Provider(settings) as provider:
            return await loaded_bytes(provider, Model(f"{kind}/{name}", kind, name, name))


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({"name": "qwen3:8b", "size": 6_000, "size_vram": 5_000}, 6_000),
        ({"name": "qwen3:8b", "size_vram": 5_000}, 5_000),
        ({"name": "qwen3:8b"}, None),
        ({"name": "qwen3:14b", "size": 9_000}, None),
        ("nonsense", None),
    ],
)
async def test_a_loaded_model_takes_what_its_server_says(row: Any, size: int | None) -> None:
    assert await memory({"models": [row]}) == size


async def test_the_latest_of_a_name_is_known_by_the_name_alone() -> None:
    assert await memory({"models": [{"name": "phi4:latest", "size": 7}]}, "phi4") == 7


@pytest.mark.parametrize("said", [{}, {"models": None}, []])
async def test_an_answer_of_another_shape_tells_nothing(said: Any) -> None:
    assert await memory(said) is None


async def test_no_other_kind_of_provider_is_asked() -> None:
    assert await memory({"models": [{"name": "qwen3:8b", "size": 1}]}, kind="openai") is None

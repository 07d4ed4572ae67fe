"""What a user may say of a model."""

import pytest

from gateway.errors import ConfigurationError
from gateway.llm.catalog.override import ModelOverride


@pytest.mark.parametrize("model_id", ["gpt-6-sol", "/gpt-6-sol", "openai/", ""])
def test_an_id_without_a_provider_is_refused(model_id: str) -> None:
    with pytest.raises(ConfigurationError, match="names no provider"):
        ModelOverride(model_id)


def test_the_provider_is_what_stands_before_the_first_slash() -> None:
    assert ModelOverride("openrouter/openai/gpt-6-sol").provider == "openrouter"

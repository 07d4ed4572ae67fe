"""What the tests of providers have in common: a request, a model, and a provider to a stand-in."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings, Timeouts
from tests.stand_ins.llm.server import LlmStandIn

KEY = "sk-canary-3141592653589793"

Connect = Callable[..., AbstractAsyncContextManager[Provider]]


@pytest.fixture
def question() -> ChatRequest:
    return ChatRequest("auto", (Message("user", (Text("How are you?"),)),))


@pytest.fixture
def model() -> Model:
    return Model(id="p/small", provider="p", name="small", title="Small")


@pytest.fixture
def connect() -> Connect:
    """A provider named `p` that asks a stand-in, with a key that nobody may see."""

    def to(stand_in: LlmStandIn, **settings: Any) -> Provider:
        own: dict[str, Any] = {
            "name": "p",
            "kind": stand_in.kind,
            "base_url": stand_in.base_url,
            "api_key": KEY,
        }
        times = {key: settings.pop(key) for key in list(settings) if key.endswith("_seconds")}
        clocks = {key: settings.pop(key) for key in ("clock", "monotonic") if key in settings}
        return Provider(ProviderSettings(**own | settings, timeouts=Timeouts(**times)), **clocks)

    return to

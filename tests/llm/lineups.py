"""Models, limits and conditions for tests of routing, with only what a test cares about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from gateway.llm.model import Model, Price, Rates
from gateway.llm.walk import READY, Condition, Conditions
from gateway.usage.limit import Limit, Shortage
from gateway.usage.window import Window

DAY = date(2026, 11, 1)
RESETS_AT = datetime(2026, 12, 1, tzinfo=UTC)


def model(model_id: str, usd: tuple[float, float] | None = None, **facts: Any) -> Model:
    """A model with all abilities; `usd` are its input and output prices, None is unknown."""
    provider, _, name = model_id.partition("/")
    price = usd and Price(Rates(Decimal(str(usd[0])), Decimal(str(usd[1]))), "test", DAY)
    known: dict[str, Any] = {
        "context_tokens": 128_000,
        "has_tools": True,
        "has_structured_output": True,
        "input_modalities": frozenset({"text", "image"}),
        "price": price,
    }
    return Model(model_id, provider, name, name, **{**known, **facts})


def free(model_id: str, **facts: Any) -> Model:
    return model(model_id, (0, 0), **facts)


def shortage(name: str = "free", *, unit: Any = "requests") -> Shortage:
    limit = Limit(name, unit, 100, Window.parse("month"))
    return Shortage(limit, "", used=100, held=0, needed=1, resets_at=RESETS_AT, model="x")


def conditions(by_id: Mapping[str, Condition]) -> Conditions:
    return lambda one, _worst: by_id.get(one.id, READY)

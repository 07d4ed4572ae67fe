"""What the demo offers: models that exist nowhere, at prices that nobody pays."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CREATED = 1795132800  # 2026-11-20


@dataclass(frozen=True, slots=True)
class DemoModel:
    """Prices are US dollars for a million tokens."""

    name: str
    title: str
    description: str
    input: Decimal
    output: Decimal
    context_tokens: int
    max_output_tokens: int
    has_vision: bool = False

    def usd(self, input_tokens: int, output_tokens: int) -> Decimal:
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000

    def listed(self) -> Mapping[str, Any]:
        return {
            "id": self.name,
            "object": "model",
            "created": CREATED,
            "owned_by": "demo",
            "name": self.title,
            "description": self.description,
            "context_length": self.context_tokens,
            "max_output_tokens": self.max_output_tokens,
            "capabilities": {
                "vision": self.has_vision,
                "reasoning": False,
                "tool_calling": True,
                "parallel_tool_calls": True,
                "structured_output": True,
            },
            "architecture": {
                "input_modalities": ["text", "image"] if self.has_vision else ["text"],
                "output_modalities": ["text"],
            },
            "pricing": {
                "prompt": float(self.input),
                "completion": float(self.output),
                "currency": "USD",
                "unit": "per_million_tokens",
            },
        }


MODELS = {
    model.name: model
    for model in (
        DemoModel(
            "demo-free",
            "Demo Free",
            "Costs nothing, as the models of a free tier.",
            Decimal(0),
            Decimal(0),
            context_tokens=32_768,
            max_output_tokens=4_096,
        ),
        DemoModel(
            "demo-paid",
            "Demo Paid",
            "Costs as much as a middling model; no money moves.",
            Decimal("0.5"),
            Decimal(2),
            context_tokens=131_072,
            max_output_tokens=16_384,
        ),
        DemoModel(
            "demo-large",
            "Demo Large",
            "Costs as much as a large model and looks at pictures; no money moves.",
            Decimal(3),
            Decimal(15),
            context_tokens=1_048_576,
            max_output_tokens=65_536,
            has_vision=True,
        ),
    )
}

"""One call of a model: what it is before it begins, and what it used once it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["requests", "tokens", "input_tokens", "microusd"]


@dataclass(frozen=True, slots=True)
class Call:
    """What is known before a call begins; limits look at it, and its ledger line keeps it.

    `model` is a model's ID. `context` is personal or work. `reason` says in a few words why the
    router chose this model; the whole route is kept with the settlement, under `route_id`.
    """

    request_id: str
    caller: str
    provider: str
    model: str
    tier: str
    request_type: str = "chat"
    task: str | None = None
    complexity: float | None = None
    context: str | None = None
    route_id: str | None = None
    reason: str | None = None

    def columns(self) -> dict[str, Any]:
        """Each value by its name; `dataclasses.asdict` takes ten times as long."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call takes from limits; `tokens` is input and output, `microusd` None is unknown."""

    requests: int = 1
    tokens: int = 0
    input_tokens: int = 0
    microusd: int | None = 0

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def of(self, unit: Unit) -> int | None:
        value: int | None = getattr(self, unit)
        return value


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call really used.

    `billed_microusd` is what the provider charged, `list_microusd` what the call costs by the
    list; None is unknown. Budgets are charged with the first of them that is known, or else with
    the worst case that was reserved. `cost_source` says where the cost is from. `outcome` is `ok`
    or a word for what went wrong, such as an error's code. `requests` is 0 where the provider
    never got the call. `route` is kept under the call's `route_id`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    billed_microusd: int | None = None
    list_microusd: int | None = None
    cost_source: str = "unknown"
    first_token_ms: float | None = None
    total_ms: float | None = None
    tool_calls: int = 0
    outcome: str = "ok"
    attempts: int = 1
    requests: int = 1
    route: Mapping[str, Any] | None = None

    def columns(self) -> dict[str, Any]:
        """All but the route, which has a table of its own."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "route"}

    def charged(self, worst: Amount) -> Amount:
        """What limits are charged, for a call that reserved `worst`."""
        known = (self.billed_microusd, self.list_microusd, worst.microusd)
        return Amount(
            self.requests,
            self.input_tokens + self.output_tokens,
            self.input_tokens,
            next((cost for cost in known if cost is not None), None),
        )

"""How models are chosen, as the operator decided it; read from the configuration once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from gateway.llm.model import Tier

Strategy = Literal["task_based", "round_robin", "least_cost"]
Priority = Literal["speed", "cost", "quality"]
Context = Literal["personal", "work"]
Action = Literal["use_paid", "use_cheaper_model", "error"]
FallbackStrategy = Literal["next_model", "larger_context", "cheaper", "local", "degraded"]
FALLBACK_STRATEGIES: tuple[FallbackStrategy, ...] = get_args(FallbackStrategy)
# Those that answer what was asked, all of it.
WHOLE_ANSWERS: tuple[FallbackStrategy, ...] = ("next_model", "larger_context", "cheaper", "local")


@dataclass(frozen=True, slots=True)
class FallbackAction:
    """What to do when a quota is used up.

    `use_paid` may cost at most `max_cost_microusd` in the worst case of one call,
    `use_cheaper_model` takes `alternative` (a model, or without one whatever is cheapest), and
    `error` ends the route with `message`.
    """

    action: Action
    max_cost_microusd: int | None = None
    alternative: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the router goes by.

    `task_models` leads from a task, such as `coding` or `coding:high`, to what is tried first:
    model IDs, wire names or tiers.
    `free_models` and `paid_models` are those that automatic routes may use, best first; an empty
    one stands for every model of that tier. `forced_provider` leaves all other providers out.
    `may_pay` lets automatic routes use paid models: only when somebody set a budget or a paid
    tier, for a bill must never come as a surprise. `never_pays` leaves paid models out although
    somebody names them. `unknown_price` says what becomes of paid models that have no known price.

    `fallback` names what is tried when no answer comes, in this order. A `degraded` answer to less
    than was asked is for requests that are not work and name no model, unless `degrades_work` and
    `degrades_named` say so, or the caller itself.

    `explore_share` of the requests go to a model that costs no more than the best, and of which
    too little is known to be sure that it is worse; none that are work, unless `explores_work`.

    `expected_output_tokens` is guessed where nothing better is known, and
    `max_output_tokens` bounds an answer that the caller did not bound.
    """

    strategy: Strategy = "task_based"
    priority: Priority = "cost"
    task_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    free_models: tuple[str, ...] = ()
    paid_models: tuple[str, ...] = ()
    tier_order: tuple[Tier, ...] = ("free", "paid")
    on_quota_exceeded: tuple[FallbackAction, ...] = ()
    fallback: tuple[FallbackStrategy, ...] = WHOLE_ANSWERS
    degrades_work: bool = False
    degrades_named: bool = False
    forced_provider: str | None = None
    may_pay: bool = False
    never_pays: bool = False
    default_context: Context = "personal"
    unknown_price: Literal["refuse", "allow"] = "refuse"
    expected_output_tokens: int = 500
    max_output_tokens: int = 4_096
    max_steps: int = 6
    explore_share: float = 0.0
    explores_work: bool = False

    def action(self, kind: Action) -> FallbackAction | None:
        return next((one for one in self.on_quota_exceeded if one.action == kind), None)

    def listed(self, tier: Tier) -> tuple[str, ...]:
        return self.free_models if tier == "free" else self.paid_models

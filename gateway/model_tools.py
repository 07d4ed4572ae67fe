"""The router as tools: ask a model, list them, which would be chosen, and what was used."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway import caller
from gateway.caller import Caller
from gateway.clock import Clock, now, rfc3339
from gateway.errors import Refused
from gateway.llm.brief import (
    COMPLEXITY_SCHEMA,
    CONTEXT_SCHEMA,
    TASK_SCHEMA,
    brief_hints,
    brief_request,
)
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.completion import Completion
from gateway.llm.gathering import Gathering
from gateway.llm.model import Model, Tier
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.tool_answers import (
    CHAT_SCHEMA,
    MODELS_SCHEMA,
    NO_STEP,
    ROUTE_SCHEMA,
    call_to_json,
    line_to_json,
    model_to_json,
    quota_to_json,
    step_to_json,
    usage_schema,
)
from gateway.llm.tool_frame import arguments_schema, spender
from gateway.tools.tool import Answer, Arguments, Effect, Tool
from gateway.usage.call import Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState
from gateway.usage.report import Column, Grouping, UsageLine
from gateway.usage.span import EXAMPLES, span

MOST_MODELS = 100
MOST_ALTERNATIVES = 5
MOST_LINES = 50
TODAY = "today"
_TIERS: tuple[Tier, ...] = ("free", "paid")
_BREAKDOWNS: tuple[Grouping, ...] = ("model", "tier", "task")
_NOTHING = UsageLine(billed_microusd=0, list_microusd=0, charged_microusd=0)


class ModelTools:
    """Each call is its caller's own: its models, its limits, and its lines in the ledger.

    Whoever may not spend sees none of them.
    """

    def __init__(
        self, catalog: Catalog, completion: Completion, ledger: Ledger, *, clock: Clock = now
    ) -> None:
        self._catalog = catalog
        self._completion = completion
        self._ledger = ledger
        self._clock = clock
        self._tools = (
            self._chat_tool(),
            self._models_tool(),
            self._usage_tool(),
            self._route_tool(),
        )

    async def tools(self) -> Sequence[Tool]:
        return self._tools if caller.current().may_spend else ()

    async def chat(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `Completion.answering` does.
        """
        who, hints = spender(), brief_hints(arguments)
        request = brief_request(arguments["prompt"], arguments.get("context", ""))
        gathering = Gathering()
        async with self._completion.answering(who, request, hints) as answering:
            async for chunk in answering:
                gathering.add(chunk)
        answer = gathering.answers[0]
        route = await self._ledger.route(answering.route_id) or {}
        return Answer(
            {
                "content": answer.message.text,
                "finish_reason": answer.finish_reason or "stop",
                **call_to_json(answering),
                "task_type": route.get("task"),
                "complexity": route.get("complexity"),
                "reason": _reason(route, answering.model),
            }
        )

    async def models(self, _: Arguments) -> Answer:
        """Raises:
        Refused: no provider is configured; the message says what to set.
        """
        who = spender()
        if not self._catalog.providers:
            raise Refused(NO_PROVIDER)
        callable_models = self._catalog.callable_models
        models = [model for model in callable_models if who.may_use_model(model.id)]
        offers: dict[str, list[Model]] = {}
        for model in models:
            offers.setdefault(model.id, []).append(model)
        in_order = sorted(offers.values(), key=self._rank)
        return Answer(
            {
                "models": [model_to_json(those) for those in in_order[:MOST_MODELS]],
                "total": len(offers),
                "quota_left": {
                    tier: [quota_to_json(state) for state in self._quotas(who, tier, models)]
                    for tier in _TIERS
                },
                "as_of": self._catalog.as_of.isoformat(),
            }
        )

    async def usage(self, arguments: Arguments) -> Answer:
        """Raises:
        InvalidRequest: the timeframe names no time.
        """
        who = spender()
        asked = span(arguments.get("timeframe") or TODAY, self._clock())
        where: Mapping[Column, str] = {} if who.is_owner else {"caller": who.name}
        total, *parts = [
            await self._ledger.report(asked.start, asked.end, group_by=by, where=where)
            for by in ((), *((one,) for one in _BREAKDOWNS))
        ]
        return Answer(
            {
                "timeframe": asked.title,
                "from": rfc3339(asked.start),
                "to": rfc3339(asked.end),
                "whose": "all callers" if who.is_owner else who.name,
                "total": line_to_json(total[0] if total else _NOTHING),
                **{
                    f"by_{by}": [
                        {by: line.group[by], **line_to_json(line)} for line in _dearest(lines)
                    ]
                    for by, lines in zip(_BREAKDOWNS, parts, strict=True)
                },
            }
        )

    async def route(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: no provider is configured; the message says what to set.
        """
        who, hints = spender(), brief_hints(arguments)
        request = brief_request(arguments["task_type"], arguments.get("context", ""))
        route = self._completion.plan(who, request, hints)
        refusal = route.error(self._clock())
        first, *others = [step_to_json(step) for step in route.steps] or [NO_STEP]
        excluded = {why: count for why, count in route.excluded_counts.items() if count}
        return Answer(
            {
                **first,
                "task_type": route.features.task,
                "complexity": round(route.features.complexity, 2),
                "reasoning": [route.reason, *route.features.because],
                "alternatives": others[:MOST_ALTERNATIVES],
                "considered": route.considered,
                "excluded": excluded,
                "refusal": str(refusal) if refusal else None,
            }
        )

    def _rank(self, offers: Sequence[Model]) -> tuple[bool, bool, int, str]:
        """The configured ones first, then the free ones, then the newest."""
        model, policy = offers[0], self._completion.policy
        is_named = not {model.id, model.name}.isdisjoint((*policy.free_models, *policy.paid_models))
        is_free = any(offer.tier == "free" for offer in offers)
        released = model.released.toordinal() if model.released else 0
        return (not is_named, not is_free, -released, model.id)

    def _quotas(self, who: Caller, tier: Tier, models: Sequence[Model]) -> list[LimitState]:
        """Those that bind some model of a tier; of budgets, which others may share, none."""
        states: dict[tuple[str, str], LimitState] = {}
        for model in models:
            if model.tier == tier:
                call = Call("", who.name, model.provider, model.id, tier)
                states |= {(one.limit.id, one.key): one for one in self._ledger.standing(call)}
        return [state for state in states.values() if not state.limit.is_budget]

    def _chat_tool(self) -> Tool:
        prompt = {"type": "string", "minLength": 1, "description": "What the model should answer."}
        return Tool(
            name="create_chat_completion",
            title="Ask a language model",
            description=(
                "Use this when the user wants another language model to answer a prompt. The "
                "gateway picks the model by task, complexity, cost and quota, free ones first, "
                "and says which one it was, why, and what it cost. It may spend money, within "
                "the user's limits."
            ),
            input_schema=arguments_schema(
                {
                    "task_type": TASK_SCHEMA,
                    "complexity": COMPLEXITY_SCHEMA,
                    "prompt": prompt,
                    "context": CONTEXT_SCHEMA,
                },
                required=("prompt",),
            ),
            output_schema=CHAT_SCHEMA,
            call=self.chat,
            effect=Effect.WRITE,
            is_open_world=True,
            spends=True,
        )

    def _models_tool(self) -> Tool:
        return Tool(
            name="get_personalized_models",
            title="List my models",
            description=(
                "Use this when the user asks which language models they may call here: IDs, "
                "tiers, context, prices, abilities, and what is left of each tier's quota. It "
                f"lists at most {MOST_MODELS}: the configured ones first, then free ones, then "
                "the newest; search finds the others, such as 'cheapest model with vision'."
            ),
            input_schema=arguments_schema({}),
            output_schema=MODELS_SCHEMA,
            call=self.models,
        )

    def _usage_tool(self) -> Tool:
        timeframe = f"A time in UTC: {EXAMPLES}; {TODAY}, if it is left out."
        return Tool(
            name="get_usage_stats",
            title="Show what was used",
            description=(
                "Use this when the user asks how many calls and tokens their models used in a "
                "time, or what that cost: in all, and by model, tier and task. A cost that is "
                "not known is null, never 0. For a citation, use search and fetch instead."
            ),
            input_schema=arguments_schema(
                {"timeframe": {"type": "string", "description": timeframe}}
            ),
            output_schema=usage_schema(_BREAKDOWNS),
            call=self.usage,
        )

    def _route_tool(self) -> Tool:
        return Tool(
            name="select_optimal_model",
            title="Choose a model",
            description=(
                "Use this when the user asks which model would be best for a task now, and why. "
                "It calls no model and costs nothing: it tells the choice, the alternatives in "
                "their order, and how many models were left out for which reason."
            ),
            input_schema=arguments_schema(
                {
                    "task_type": TASK_SCHEMA,
                    "complexity": COMPLEXITY_SCHEMA,
                    "context": CONTEXT_SCHEMA,
                },
                required=("task_type",),
            ),
            output_schema=ROUTE_SCHEMA,
            call=self.route,
        )


def _reason(route: Mapping[str, Any], model: Model) -> str | None:
    """Why this model, of those of the route that may each have been tried."""
    reasons = [step["reason"] for step in route.get("steps", ()) if step["model"] == model.id]
    return reasons[0] if reasons else route.get("reason")


def _dearest(lines: Sequence[UsageLine]) -> Sequence[UsageLine]:
    return sorted(lines, key=lambda line: (-(line.charged_microusd or 0), -line.calls))[:MOST_LINES]

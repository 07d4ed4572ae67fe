"""Routing as tools: what would be chosen, what it would cost, what is free, how it is asked."""

from collections.abc import Callable, Mapping, Sequence

from gateway import caller
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import InvalidRequest, NotFound, PermissionDenied, Refused
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.features import Features
from gateway.llm.latest_lineup import LatestLineup
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.prompting import strategy_to_json
from gateway.llm.provider.pace import Pace
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.route import Route
from gateway.llm.router import choose
from gateway.llm.tool_answers import quota_to_json
from gateway.llm.tool_frame import spender
from gateway.routing_tools.answers import choice_to_json, counts, free_model_to_json
from gateway.routing_tools.asking import asked_features
from gateway.routing_tools.estimates import cheapest_first, estimate
from gateway.routing_tools.free_lists import FreeLists
from gateway.routing_tools.listing import RoutingCalls, listed
from gateway.routing_tools.tracking import Tracking
from gateway.strategies import PromptingStrategy, Strategies
from gateway.text import shown
from gateway.tools.tool import Answer, Arguments, Tool
from gateway.usage.call import Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState

MOST_ESTIMATES = 50
MOST_FREE_MODELS = 100


class RoutingTools:
    """Each call is its caller's own: its models, its limits, its strategies.

    `plan` is what the router would do now with a request of these features. Whoever may not
    spend sees no tool, and only owners see the one that forgets.
    """

    def __init__(
        self,
        catalog: Catalog,
        policy: Policy,
        ledger: Ledger,
        strategies: Strategies,
        *,
        plan: Callable[[Caller, Features], Route],
        lineups: LatestLineup,
        providers: Mapping[str, Provider],
        free_lists: FreeLists,
        tracking: Tracking,
        clock: Clock = now,
    ) -> None:
        self._catalog = catalog
        self._policy = policy
        self._ledger = ledger
        self._strategies = strategies
        self._plan = plan
        self._providers = providers
        self._free_lists = free_lists
        self._tracking = tracking
        self._clock = clock
        self._lineups = lineups
        calls = RoutingCalls(
            route=self.route,
            preemptive=self.preemptive,
            costs=self.costs,
            free_models=self.free_models,
            clear=self.clear,
            strategy=self.strategy,
        )
        self._tools = listed(calls, is_owner=False)
        self._owners_tools = listed(calls, is_owner=True)

    async def tools(self) -> Sequence[Tool]:
        who = caller.current()
        if not who.may_spend:
            return ()
        return self._owners_tools if who.is_owner else self._tools

    async def route(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: no provider is configured; the message says what to set.
        InvalidRequest: the complexity is none.
        """
        if arguments.get("preemptive"):
            return await self.preemptive(arguments)
        who = spender()
        asked = asked_features(arguments, self._policy)
        return self._choice(self._plan(who, asked), is_preemptive=False)

    async def preemptive(self, arguments: Arguments) -> Answer:
        """From memory alone; raises as `route` does."""
        who = spender()
        if not self._catalog.providers:
            raise Refused(NO_PROVIDER)
        asked = asked_features(arguments, self._policy)
        route = choose(asked, self._lineups.now(), self._policy, caller=who)
        return self._choice(route, is_preemptive=True)

    async def costs(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: no provider is configured.
        NotFound: the caller may use no such model; with suggestions.
        """
        who, wanted = spender(), arguments.get("model", "")
        input_tokens = int(arguments["context_length"])
        expected = self._policy.expected_output_tokens
        output_tokens = int(arguments.get("expected_output_length", expected))
        is_any = wanted in ("", "auto")
        models = self._offers(who) if is_any else self._named(who, wanted)
        estimates = [estimate(model, input_tokens, output_tokens) for model in models]
        # Whoever names a model is told what it costs, and that it does not fit.
        fitting = [one for one in estimates if one.fits is not False or not is_any]
        in_order = cheapest_first(fitting)
        paid = (one for one in in_order if one.tier == "paid" and one.total_microusd)
        cheapest_paid = next(paid, None)
        return Answer(
            {
                "context_length": input_tokens,
                "expected_output_length": output_tokens,
                "estimates": [one.to_json() for one in in_order[:MOST_ESTIMATES]],
                "total": len(in_order),
                "counts": counts(in_order),
                "cheapest_paid": cheapest_paid.to_json() if cheapest_paid else None,
                "too_small": len(estimates) - len(fitting),
                "as_of": self._catalog.as_of.isoformat(),
            }
        )

    async def free_models(self, arguments: Arguments) -> Answer:
        """Raises:
        Refused: no provider is configured.
        """
        who = spender()
        lists = await self._free_lists.states(refresh=bool(arguments.get("refresh")))
        models = sorted(
            (model for model in self._offers(who) if model.tier == "free"),
            key=lambda one: (-(one.released.toordinal() if one.released else 0), one.id),
        )
        paces = self._paces()
        return Answer(
            {
                "models": [
                    free_model_to_json(one, paces.get(one.id)) for one in models[:MOST_FREE_MODELS]
                ],
                "total": len(models),
                "quota_left": [quota_to_json(state) for state in self._quotas(who, models)],
                "lists": [one.to_json() for one in lists],
                "as_of": self._catalog.as_of.isoformat(),
            }
        )

    async def clear(self, _: Arguments) -> Answer:
        """Raises:
        PermissionDenied: the caller is no owner.
        Refused: no OpenRouter is configured.
        """
        if not spender().is_owner:
            raise PermissionDenied("only the owner's keys may forget what all callers' calls told")
        cleared = await self._tracking.clear()
        models = [m for m in self._catalog.callable_models if m.provider in cleared.providers]
        return Answer(
            {
                "providers": list(cleared.providers),
                "forgotten": {
                    "lists": cleared.lists,
                    "paces": cleared.paces,
                    "evidence": cleared.evidence,
                },
                "is_list_new": cleared.came,
                "models": len(models),
                "free_models": sum(model.tier == "free" for model in models),
                "as_of": self._catalog.as_of.isoformat(),
            }
        )

    async def strategy(self, arguments: Arguments) -> Answer:
        """Raises:
        InvalidRequest: a template cannot be filled in, or several models have that name.
        NotFound: the caller may use no such model; with suggestions.
        """
        who = spender()
        given = {name: value for name, value in arguments.items() if name != "model_id"}
        strategy = PromptingStrategy(**given)
        model_id = self._model_id(who, arguments["model_id"], is_removed=strategy.is_empty)
        await self._strategies.set(who.name, model_id, strategy)
        return Answer(strategy_to_json(model_id, self._strategies.get(who.name, model_id)))

    def _choice(self, route: Route, *, is_preemptive: bool) -> Answer:
        content = choice_to_json(
            route,
            self._policy,
            self._lineups.now(),
            moment=self._clock(),
            is_preemptive=is_preemptive,
        )
        return Answer({**content, "prices_as_of": self._catalog.as_of.isoformat()})

    def _offers(self, who: Caller) -> list[Model]:
        """Models that write text, as far as this caller may use them."""
        if not self._catalog.providers:
            raise Refused(NO_PROVIDER)
        forced = self._policy.forced_provider
        return [
            model
            for model in self._catalog.callable_models
            if "text" in model.output_modalities
            and forced in (None, model.provider)
            and who.may_use_model(model.id)
        ]

    def _named(self, who: Caller, text: str) -> list[Model]:
        """All offers of the model, of whichever providers."""
        name = self._policy.aliases.get(text, text)
        ids = {model.id for model in self._catalog.named(name)}
        offers = [model for model in self._offers(who) if model.id in ids]
        if not offers:
            near = [one for one in self._catalog.near(name) if who.may_use_model(one)]
            raise NotFound(
                f"there is no model {shown(text)!r} that this key may use; "
                "get_personalized_models lists those there are",
                what="model",
                suggestions=near,
            )
        return offers

    def _model_id(self, who: Caller, text: str, *, is_removed: bool) -> str:
        # What is set for a model that is gone must still be removable.
        if is_removed and self._strategies.get(who.name, text):
            return text
        ids = list(dict.fromkeys(model.id for model in self._named(who, text)))
        if len(ids) > 1:
            raise InvalidRequest(
                f"{shown(text)!r} is the name of several models; use one of {', '.join(ids[:5])}"
            )
        return ids[0]

    def _paces(self) -> Mapping[str, Pace]:
        return dict(pair for provider in self._providers.values() for pair in provider.paces())

    def _quotas(self, who: Caller, models: Sequence[Model]) -> list[LimitState]:
        """Those that bind some of these models; of budgets, which others may share, none."""
        states: dict[tuple[str, str], LimitState] = {}
        for model in models:
            call = Call("", who.name, model.provider, model.id, model.tier)
            states |= {(one.limit.id, one.key): one for one in self._ledger.standing(call)}
        return [state for state in states.values() if not state.limit.is_budget]

"""Makes routes for callers: from the catalog, what is known of it, and what holds at the moment."""

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from gateway import request_id
from gateway.caller import Caller
from gateway.errors import GatewayError, NotFound, Refused
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.features import Features, Needs
from gateway.llm.known import Known
from gateway.llm.latest_lineup import LatestLineup
from gateway.llm.lineup import Lineup
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.prompting import NO_EXTRA, Extra, extra, worded
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.route import Route, Step
from gateway.llm.router import choose
from gateway.llm.walk import Condition
from gateway.strategies import PromptingStrategy, Strategies
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger

LOCAL = "models of this machine"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and what a route takes of a request beside its features.

    `said` counts the messages of the user and `answered` those of the model, each of which a
    prompting strategy may word, unless nothing `is_worded`. `turn` counts requests.
    """

    caller: Caller
    said: int = 1
    answered: int = 0
    is_worded: bool = True
    turn: int = 0
    explores: bool = False


class Planning:
    """Routes of one gateway. To plan takes no turn, and explores nothing: to begin does."""

    def __init__(
        self,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        ledger: Ledger,
        policy: Policy,
        *,
        known: Known,
        strategies: Strategies | None,
    ) -> None:
        self.lineups = LatestLineup(catalog, warm=self._warm)
        self._providers = providers
        self._ledger = ledger
        self._policy = policy
        self._known = known
        self._strategies = strategies
        self._turn = 0

    def asker(self, caller: Caller, request: ChatRequest, *, is_worded: bool) -> Asker:
        roles = [message.role for message in request.messages]
        said, answered = roles.count("user"), roles.count("assistant")
        return Asker(caller, said, answered, is_worded, self._turn)

    def begun(self, asker: Asker) -> Asker:
        """It gets an answer: all its routes are of one turn, and explore or do not."""
        turn, self._turn = self._turn, self._turn + 1
        explores = random.random() < self._policy.explore_share
        return replace(asker, turn=turn, explores=explores)

    def planned(
        self,
        asker: Asker,
        asked: Features,
        policy: Policy,
        lineup: Lineup | None = None,
    ) -> Route:
        """The route that such a request takes now.

        Raises:
            Refused: no provider is configured.
            NotFound: no model has the name that is wanted; with suggestions.
        """
        if not self._providers:
            raise Refused(NO_PROVIDER)
        among = self.lineups.now() if lineup is None else lineup
        try:
            route = self._chosen(asker, asked, policy, among)
        except NotFound:
            latest = self._latest(among, lineup)
            if latest is among:
                raise
            return self._chosen(asker, asked, policy, latest)
        latest = among if route.steps else self._latest(among, lineup)
        return route if latest is among else self._chosen(asker, asked, policy, latest)

    def _latest(self, among: Lineup, given: Lineup | None) -> Lineup:
        """What would do may have been listed a moment ago."""
        return among if given is not None else self.lineups.latest()

    def local(self) -> Lineup:
        """The models of this machine."""
        lineup = self.lineups.now()
        return lineup.remember(
            LOCAL, lambda: Lineup(one.model for one in lineup.contenders if one.model.is_local)
        )

    def worded(self, asker: Asker, request: ChatRequest, model: Model) -> ChatRequest:
        """As this caller wants this model to be asked."""
        return worded(request, self._strategy(asker, model))

    def call(
        self,
        caller: Caller,
        model: Model,
        asked: Features,
        *,
        request_type: str = "chat",
        route_id: str | None = None,
        step: Step | None = None,
    ) -> Call:
        return Call(
            request_id=request_id.current(),
            caller=caller.name,
            provider=model.provider,
            model=model.id,
            tier=model.tier,
            request_type=request_type,
            task=asked.task,
            complexity=asked.complexity,
            context=asked.context or self._policy.default_context,
            route_id=route_id,
            reason=step.reason if step else None,
        )

    def _warm(self, lineup: Lineup) -> None:
        """Part the models for the most usual requests, which takes as long as to line them up."""
        for needs in (Needs(), Needs(tools=True)):
            for wanted in ("auto", "auto:best"):
                # An alias may lead from these to a model that is gone.
                with suppress(GatewayError):
                    choose(Features(wanted, needs=needs), lineup, self._policy)

    def _chosen(self, asker: Asker, asked: Features, policy: Policy, lineup: Lineup) -> Route:
        return choose(
            asked,
            lineup,
            policy,
            caller=asker.caller,
            conditions=partial(self._condition, asker, asked),
            extras=partial(self._extra, asker),
            measured=self._known.measured(),
            beliefs=self._known.beliefs(),
            turn=asker.turn,
            explores=asker.explores,
        )

    def _condition(
        self, asker: Asker, asked: Features, model: Model, worst_microusd: int | None
    ) -> Condition:
        input_tokens = asked.most_input_tokens + self._extra(asker, model).most_input_tokens
        output_tokens = asked.most_output_tokens or self._policy.max_output_tokens
        worst = Amount(
            tokens=input_tokens + output_tokens * asked.choices,
            input_tokens=input_tokens,
            microusd=worst_microusd,
        )
        return Condition(
            self._providers[model.provider].cooling_seconds(model.id),
            self._ledger.remaining(self.call(asker.caller, model, asked), worst),
        )

    def _extra(self, asker: Asker, model: Model) -> Extra:
        strategy = self._strategy(asker, model)
        if strategy is None:
            return NO_EXTRA
        return extra(strategy, said=asker.said, answered=asker.answered)

    def _strategy(self, asker: Asker, model: Model) -> PromptingStrategy | None:
        if self._strategies is None or not asker.is_worded:
            return None
        return self._strategies.get(asker.caller.name, model.id)

"""One story for every request: route it, reserve, stream the answer, settle what it used."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from gateway import request_id
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Refused,
    Unauthenticated,
)
from gateway.evidence.evidence import Evidence
from gateway.llm.answering import Answering, settled_when_left
from gateway.llm.belief import Beliefs
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.embedding import EmbeddingCall, embedding_model
from gateway.llm.fallback.course import Course, Pick, Planner
from gateway.llm.fallback.following import may_follow
from gateway.llm.fallback.network import Network
from gateway.llm.features import Features, features, telling_text
from gateway.llm.known import Known
from gateway.llm.lineup import Lineup
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.observing import Observer
from gateway.llm.policy import Context, Policy, Priority
from gateway.llm.prompting import worded
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.route import Route, Step
from gateway.llm.router import choose
from gateway.llm.slots import Slots
from gateway.llm.story import Story
from gateway.llm.task import Task
from gateway.llm.tokens import most_tokens
from gateway.llm.walk import Condition
from gateway.llm.wanted import read_wanted
from gateway.strategies import Strategies
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger

LOCAL = "models of this machine"
# OpenRouter would answer with a model of its own choosing: one that a key may not use, at a price
# that was not reserved.
OTHER_MODELS = ("models", "route")


@dataclass(frozen=True, slots=True)
class Hints:
    """What a caller says about its request itself; None is for the gateway to find out."""

    task: Task | None = None
    complexity: float | None = None
    context: Context | None = None
    priority: Priority | None = None
    # Whether an answer to less than was asked will do, when there is no other.
    degrades: bool | None = None
    # Whether routing learns from what becomes of it.
    learns: bool = True


NO_HINTS = Hints()


class Completion:
    """Open for as long as the gateway runs; closing waits for what is still to be settled."""

    def __init__(
        self,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        ledger: Ledger,
        policy: Policy,
        *,
        evidence: Evidence | None = None,
        strategies: Strategies | None = None,
        max_parallel: int = 512,
        clock: Clock = now,
    ) -> None:
        self.policy = policy
        self._catalog = catalog
        self._providers = providers
        self._ledger = ledger
        self._clock = clock
        self._slots = Slots(max_parallel)
        self._turns = itertools.count()
        self._known = Known(providers, evidence)
        self._observer = Observer(evidence, clock=clock)
        self._strategies = strategies
        self._network = Network(providers, clock=clock)
        self._settling: set[asyncio.Task[None]] = set()
        self._lined_up: tuple[object, Lineup] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._slots.left()
        if self._settling:
            await asyncio.wait(self._settling)

    def plan(self, caller: Caller, request: ChatRequest, hints: Hints = NO_HINTS) -> Route:
        """The route that a request would take now, without calling anything.

        Raises:
            Refused: no provider is configured.
            NotFound: no model has the name that is wanted; with suggestions.
        """
        return self.planned(caller, self._features(request, hints))

    def beliefs(self) -> Beliefs:
        """What is believed of models now."""
        return self._known.beliefs()

    def window_tokens(self, wanted: str) -> int | None:
        """The smallest context of the models that a request names; None for automatic routes."""
        name = read_wanted(wanted, self.policy.aliases).name
        named = self._catalog.named(name) if name else ()
        return min((one.context_tokens for one in named if one.context_tokens), default=None)

    @asynccontextmanager
    async def answering(
        self,
        caller: Caller,
        request: ChatRequest,
        hints: Hints = NO_HINTS,
        *,
        prefer: Model | None = None,
    ) -> AsyncIterator[Answering]:
        """An answer, once its first piece is there; until then models of the route follow.

        Whoever leaves the block early ends the call; what was used until then is settled. `prefer`
        answered so far, and goes on if it may still be called: it knows what it thought.

        Raises:
            GatewayError: no model of the route answered; it is the first one's reason.
        """
        if not caller.may_spend:
            raise Unauthenticated(
                "models are called with a key of the gateway: send it as Authorization: Bearer …"
            )
        async with self._slots.taken():
            answering = await self._begun(caller, request, hints, prefer)
            try:
                yield answering
            finally:
                await settled_when_left(answering, self._settling)

    async def embeddings(self, caller: Caller, body: Mapping[str, Any]) -> EmbeddingCall:
        """OpenAI's embeddings, passed through to the model's provider and charged.

        Raises:
            GatewayError: as for a chat; there is no fallback to another model.
        """
        if not caller.may_spend:
            raise Unauthenticated("embeddings are made with a key of the gateway")
        wanted = str(body.get("model", ""))
        model = embedding_model(
            self._catalog, self._embedding_providers(), self.policy.aliases.get(wanted, wanted)
        )
        if not caller.may_use_model(model.id):
            raise PermissionDenied(f"the key of {caller.name!r} may not use {model.id}")
        call = self._call(caller, model, Features(wanted=wanted), request_type="embedding")
        embedding = EmbeddingCall(model, self._providers[model.provider], call)
        async with self._slots.taken():
            await embedding.make(body, self._ledger)
        return embedding

    def _embedding_providers(self) -> Collection[str]:
        if not self._providers:
            raise Refused(NO_PROVIDER)
        forced = self.policy.forced_provider
        return [name for name in self._providers if forced in (None, name)] or [forced or ""]

    async def _begun(
        self, caller: Caller, request: ChatRequest, hints: Hints, prefer: Model | None
    ) -> Answering:
        """The first answer that begins, of the models of the route in their order."""
        _refuse_other_models(request)
        asked = self._features(request, hints)
        kept = None if prefer is None else self._kept(caller, asked, prefer)
        course = self._course(caller, request, hints, asked)
        story = Story(caller.name, began_at=self._clock())
        pick: Pick | None = course.first(kept)
        while pick is not None:
            answering = self._answering(caller, pick, story, learns=hints.learns)
            try:
                await self._begin(answering, pick, caller)
            except GatewayError as error:
                story.failed(answering, pick, error)
                was_sent = answering.was_sent
                self._network.heard(answering.provider, error, was_sent=was_sent)
                if not may_follow(answering, error):
                    raise
                pick = course.after(error, answering.model, was_sent=was_sent)
                continue
            self._network.heard(answering.provider, None, was_sent=True)
            if kept is None and read_wanted(request.model, self.policy.aliases).name is None:
                answering.seen_beside(telling_text(request.messages))
            return answering
        raise course.failure()

    def _kept(self, caller: Caller, asked: Features, model: Model) -> Route | None:
        """The route to the model alone, if it can still be taken: all others need no look."""
        try:
            route = self.planned(caller, asked, Lineup([model]))
        except NotFound:
            # Another one was named, and could not answer.
            return None
        return None if route.error(self._clock()) else route

    def _course(
        self, caller: Caller, request: ChatRequest, hints: Hints, asked: Features
    ) -> Course:
        planner = Planner(
            lambda one, policy: self.planned(caller, one, policy=policy),
            lambda one, policy: self.planned(caller, one, self._local(), policy=policy),
            lambda one: self._features(one, hints),
            lambda: [one.model.id for one in self._local().contenders],
            self._clock,
        )
        return Course(
            planner,
            request,
            asked,
            policy=self.policy,
            network=self._network,
            degrades=hints.degrades,
        )

    def _answering(self, caller: Caller, pick: Pick, story: Story, *, learns: bool) -> Answering:
        step, asked = pick.step, pick.route.features
        return Answering(
            step.model,
            self._providers[step.model.provider],
            self._call(caller, step.model, asked, route_id=story.id, step=step),
            ledger=self._ledger,
            observer=self._observer if learns else Observer(None),
            route=story.told(pick),
            attempts=story.attempts,
            warnings=pick.warnings,
        )

    async def _begin(self, answering: Answering, pick: Pick, caller: Caller) -> None:
        request, asked = self._worded(pick.request, answering.model, caller), pick.route.features
        most = asked.most_input_tokens
        if asked.needs.vision or request is not pick.request:
            # What an image counts depends on the model, and so does how it is asked.
            most = max(most, most_tokens(request, answering.model))
        try:
            await answering.begin(
                request,
                input_tokens=asked.input_tokens,
                most_input_tokens=most,
                default_tokens=self.policy.max_output_tokens,
            )
        except BaseException:
            # Nothing is left of a refusal, which is settled; a cancelled call is.
            await settled_when_left(answering, self._settling)
            raise

    def _worded(self, request: ChatRequest, model: Model, caller: Caller) -> ChatRequest:
        """As this caller wants this model to be asked."""
        if self._strategies is None:
            return request
        return worded(request, self._strategies.get(caller.name, model.id))

    def planned(
        self,
        caller: Caller,
        asked: Features,
        lineup: Lineup | None = None,
        *,
        policy: Policy | None = None,
    ) -> Route:
        """The route for what is known of a request; as `plan`, where nobody has its text."""
        if not self._providers:
            raise Refused(NO_PROVIDER)
        return choose(
            asked,
            self._lineup() if lineup is None else lineup,
            policy or self.policy,
            conditions=partial(self._condition, caller, asked),
            measured=self._known.measured(),
            beliefs=self._known.beliefs(),
            turn=next(self._turns),
            explores=random.random() < self.policy.explore_share,
        )

    def _features(self, request: ChatRequest, hints: Hints) -> Features:
        return features(
            request,
            # Limits may look at the task, and `auto:coding` says it.
            task=read_wanted(request.model, self.policy.aliases).task or hints.task,
            complexity=hints.complexity,
            context=hints.context,
            priority=hints.priority,
        )

    def _lineup(self) -> Lineup:
        revision = self._catalog.revision
        if self._lined_up is None or self._lined_up[0] is not revision:
            self._lined_up = (revision, Lineup(self._catalog.callable_models))
        return self._lined_up[1]

    def _local(self) -> Lineup:
        """The models of this machine."""
        lineup = self._lineup()
        if LOCAL not in lineup.remembered:
            models = (one.model for one in lineup.contenders if one.model.is_local)
            lineup.remembered[LOCAL] = Lineup(models)
        local: Lineup = lineup.remembered[LOCAL]
        return local

    def _condition(
        self, caller: Caller, asked: Features, model: Model, worst_microusd: int | None
    ) -> Condition:
        output_tokens = asked.most_output_tokens or self.policy.max_output_tokens
        worst = Amount(
            tokens=asked.most_input_tokens + output_tokens * asked.choices,
            input_tokens=asked.most_input_tokens,
            microusd=worst_microusd,
        )
        return Condition(
            caller.may_use_model(model.id),
            self._providers[model.provider].cooling_seconds(model.id),
            self._ledger.remaining(self._call(caller, model, asked), worst),
        )

    def _call(
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
            context=asked.context or self.policy.default_context,
            route_id=route_id,
            reason=step.reason if step else None,
        )


def _refuse_other_models(request: ChatRequest) -> None:
    for name in OTHER_MODELS:
        if name in request.extra:
            raise InvalidRequest(
                f"{name}: name one model, or auto; which others may answer is for the gateway to "
                "say, by its fallback"
            )

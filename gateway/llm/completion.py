"""One story for every request: route it, reserve, stream the answer, settle what it used."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Refused,
    Unauthenticated,
    Unavailable,
)
from gateway.evidence.evidence import Evidence
from gateway.llm.answering import Answering, settled_when_left
from gateway.llm.belief import Beliefs
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.embedding import EmbeddingCall, embedding_model
from gateway.llm.fallback.course import Course, Pick, Planner
from gateway.llm.fallback.following import may_follow
from gateway.llm.fallback.network import Network
from gateway.llm.features import Features, features
from gateway.llm.known import Known
from gateway.llm.latest_lineup import LatestLineup
from gateway.llm.lineup import Lineup
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.observing import Observer, conversation
from gateway.llm.planning import Asker, Planning
from gateway.llm.policy import Context, Policy, Priority
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.route import Route
from gateway.llm.slots import Slots
from gateway.llm.story import Story
from gateway.llm.task import Task
from gateway.llm.tokens import most_tokens, request_tokens
from gateway.llm.wanted import read_wanted
from gateway.strategies import Strategies
from gateway.usage.entries import Told
from gateway.usage.ledger import Ledger

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
    # Whether the prompting strategies of the caller word it.
    is_worded: bool = True
    # False: nothing that costs money may answer, whoever names it.
    pays: bool | None = None

    def bound(self, policy: Policy) -> Policy:
        """The policy for a request of which this is said."""
        return replace(policy, may_pay=False, never_pays=True) if self.pays is False else policy


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
        self._known = Known(providers, evidence)
        self._planning = Planning(
            catalog, providers, ledger, policy, known=self._known, strategies=strategies
        )
        self._observer = Observer(evidence, clock=clock)
        self._network = Network(providers, clock=clock)
        self._settling: set[asyncio.Task[None]] = set()

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
        asker = self._planning.asker(caller, request, is_worded=hints.is_worded)
        asked = self._features(request, hints)
        return self._planning.planned(asker, asked, hints.bound(self.policy))

    def planned(self, caller: Caller, asked: Features) -> Route:
        """As `plan`, for what is known of a request of which nobody has the text."""
        return self._planning.planned(Asker(caller), asked, self.policy)

    @property
    def lineups(self) -> LatestLineup:
        """The models that routes are made of."""
        return self._planning.lineups

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
        asked = Features(wanted=wanted)
        call = self._planning.call(caller, model, asked, request_type="embedding")
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
        asker = self._planning.asker(caller, request, is_worded=hints.is_worded)
        asker = self._planning.begun(asker)
        asked = self._features(request, hints)
        kept = None if prefer is None else self._kept(asker, asked, prefer, hints)
        course = self._course(asker, request, hints, asked)
        story = Story(caller.name, began_at=self._clock())
        pick = course.first(kept)
        while True:
            answering = self._answering(caller, pick, story, learns=hints.learns)
            try:
                await self._begin(answering, pick, asker)
            except GatewayError as error:
                story.failed(answering, pick, error)
                self._network.heard(answering.provider, error, was_sent=answering.was_sent)
                pick = await self._following(course, story, answering, pick, error)
                continue
            self._network.heard(answering.provider, None, was_sent=True)
            if kept is None and read_wanted(request.model, self.policy.aliases).name is None:
                answering.seen_beside(conversation(request.messages))
            return answering

    async def _following(
        self, course: Course, story: Story, answering: Answering, failed: Pick, error: GatewayError
    ) -> Pick:
        """What to try after this error.

        Raises:
            GatewayError: nothing; its route tells of all that was tried.
        """
        told = error
        if may_follow(answering, error):
            pick = course.after(error, answering.model, was_sent=answering.was_sent)
            if pick is not None:
                return pick
            told = course.failure()
        if story.attempts or _leaves_a_route(answering, error):
            told.route_id = story.id
            if not answering.was_sent:
                # What was sent has settled, and told it.
                route = story.ended(failed, error)
                await self._ledger.tell(Told(story.id, story.caller, story.began_at, route))
        raise told

    def _kept(self, asker: Asker, asked: Features, model: Model, hints: Hints) -> Route | None:
        """The route to the model alone, if it can still be taken: all others need no look."""
        try:
            policy = hints.bound(self.policy)
            route = self._planning.planned(asker, asked, policy, Lineup([model]))
        except NotFound:
            # Another one was named, and could not answer.
            return None
        return None if route.error(self._clock()) else route

    def _course(self, asker: Asker, request: ChatRequest, hints: Hints, asked: Features) -> Course:
        planning = self._planning
        planner = Planner(
            partial(planning.planned, asker),
            lambda one, policy: planning.planned(asker, one, policy, planning.local()),
            lambda one: self._features(one, hints),
            lambda: [one.model.id for one in planning.local().contenders],
            self._clock,
        )
        return Course(
            planner,
            request,
            asked,
            policy=hints.bound(self.policy),
            network=self._network,
            degrades=hints.degrades,
        )

    def _answering(self, caller: Caller, pick: Pick, story: Story, *, learns: bool) -> Answering:
        step, asked = pick.step, pick.route.features
        return Answering(
            step.model,
            self._providers[step.model.provider],
            self._planning.call(caller, step.model, asked, route_id=story.id, step=step),
            ledger=self._ledger,
            observer=self._observer if learns else Observer(None),
            route=story.told(pick),
            attempts=story.attempts,
            warnings=pick.warnings,
        )

    async def _begin(self, answering: Answering, pick: Pick, asker: Asker) -> None:
        asked = pick.route.features
        request = self._planning.worded(asker, pick.request, answering.model)
        about, most = asked.input_tokens, asked.most_input_tokens
        if request is not pick.request:
            about = max(about, request_tokens(request))
        if asked.needs.vision or request is not pick.request:
            # What an image counts depends on the model, and so does how it is asked.
            most = max(most, most_tokens(request, answering.model))
        try:
            await answering.begin(
                request,
                input_tokens=about,
                most_input_tokens=most,
                default_tokens=self.policy.max_output_tokens,
                most_microusd=pick.step.most_microusd,
            )
        except BaseException:
            # Nothing is left of a refusal, which is settled; a cancelled call is.
            await settled_when_left(answering, self._settling)
            raise

    def _features(self, request: ChatRequest, hints: Hints) -> Features:
        return features(
            request,
            # Limits may look at the task, and `auto:coding` says it.
            task=read_wanted(request.model, self.policy.aliases).task or hints.task,
            complexity=hints.complexity,
            context=hints.context,
            priority=hints.priority,
        )


def _leaves_a_route(answering: Answering, error: GatewayError) -> bool:
    """Whether there is more to tell of a request that was never sent than its error says.

    What nobody can be asked costs nothing, so that it could be asked until the disk is full; and a
    ledger that does not answer keeps nothing.
    """
    is_ledger_away = isinstance(error, Unavailable) and not answering.was_reserved
    return not is_ledger_away and not isinstance(error, InvalidRequest)


def _refuse_other_models(request: ChatRequest) -> None:
    for name in OTHER_MODELS:
        if name in request.extra:
            raise InvalidRequest(
                f"{name}: name one model, or auto; which others may answer is for the gateway to "
                "say, by its fallback"
            )

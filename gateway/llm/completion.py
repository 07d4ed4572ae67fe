"""One story for every request: route it, reserve, stream the answer, settle what it used."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from gateway import request_id
from gateway.caller import Caller
from gateway.clock import Clock, now
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Refused,
    Unauthenticated,
    Unavailable,
)
from gateway.evidence.evidence import Evidence
from gateway.llm.answering import Answering, settled_when_left
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.embedding import EmbeddingCall
from gateway.llm.features import Features, features, telling_text
from gateway.llm.known import Known
from gateway.llm.lineup import Lineup
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.llm.observing import Observer
from gateway.llm.policy import Context, Policy, Priority
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.llm.route import Route, Step
from gateway.llm.router import choose
from gateway.llm.story import Story, may_follow
from gateway.llm.task import Task
from gateway.llm.tokens import most_tokens
from gateway.llm.walk import Condition
from gateway.llm.wanted import read_wanted
from gateway.text import shown
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger

QUEUE_SECONDS = 30.0
MOST_NAME_LETTERS = 200
# Whoever is cancelled at the end may have a last word to say before it lets go of its answer.
LETTING_GO_SECONDS = 10.0
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
        max_parallel: int = 512,
        clock: Clock = now,
    ) -> None:
        self.policy = policy
        self._catalog = catalog
        self._providers = providers
        self._ledger = ledger
        self._clock = clock
        self._slots = asyncio.Semaphore(max_parallel)
        self._max_parallel = max_parallel
        self._turns = itertools.count()
        self._known = Known(providers, evidence)
        self._observer = Observer(evidence, clock=clock)
        self._working: set[asyncio.Future[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._lined_up: tuple[object, Lineup] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._working:
            await asyncio.wait(self._working, timeout=LETTING_GO_SECONDS)
        if self._settling:
            await asyncio.wait(self._settling)

    def plan(self, caller: Caller, request: ChatRequest, hints: Hints = NO_HINTS) -> Route:
        """The route that a request would take now, without calling anything.

        Raises:
            Refused: no provider is configured.
            NotFound: no model has the name that is wanted; with suggestions.
        """
        return self._planned(caller, self._features(request, hints))

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
        async with self._slot():
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
        model = self._embedding_model(caller, self.policy.aliases.get(wanted, wanted))
        call = self._call(caller, model, Features(wanted=wanted), request_type="embedding")
        embedding = EmbeddingCall(model, self._providers[model.provider], call)
        async with self._slot():
            await embedding.make(body, self._ledger)
        return embedding

    async def _begun(
        self, caller: Caller, request: ChatRequest, hints: Hints, prefer: Model | None
    ) -> Answering:
        """The first answer that begins, of the models of the route in their order."""
        _refuse_other_models(request)
        asked = self._features(request, hints)
        kept = None if prefer is None else self._kept(caller, asked, prefer)
        route = kept or self._granted(caller, asked)
        story = Story(caller.name, route, began_at=self._clock(), most=self.policy.max_steps)
        while (step := story.next_step) is not None:
            answering = self._answering(caller, step, story)
            try:
                await self._begin(answering, request, asked)
                if kept is None and read_wanted(request.model, self.policy.aliases).name is None:
                    answering.seen_beside(telling_text(request.messages))
                return answering
            except GatewayError as error:
                story.failed(answering, error)
                is_limit = isinstance(error, LimitExceeded)
                if not is_limit and not may_follow(answering, error):
                    raise
                if is_limit or story.route is kept:
                    # Others took what was left of it meanwhile, or one model was all there was:
                    # the policy says what follows then.
                    story.route = self._granted(caller, asked)
        assert story.first_error is not None
        raise story.first_error

    def _kept(self, caller: Caller, asked: Features, model: Model) -> Route | None:
        """The route to the model alone, if it can still be taken: all others need no look."""
        try:
            route = self._planned(caller, asked, Lineup([model]))
        except NotFound:
            # Another one was named, and could not answer.
            return None
        return None if route.error(self._clock()) else route

    def _granted(self, caller: Caller, asked: Features) -> Route:
        route = self._planned(caller, asked)
        if (refusal := route.error(self._clock())) is not None:
            raise refusal
        return route

    def _answering(self, caller: Caller, step: Step, story: Story) -> Answering:
        asked = story.route.features
        return Answering(
            step.model,
            self._providers[step.model.provider],
            self._call(caller, step.model, asked, route_id=story.id, step=step),
            ledger=self._ledger,
            observer=self._observer,
            route=story.told(),
            attempts=story.attempts,
        )

    async def _begin(self, answering: Answering, request: ChatRequest, asked: Features) -> None:
        most = asked.most_input_tokens
        if asked.needs.vision:
            # What an image counts depends on the model.
            most = most_tokens(request, answering.model)
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

    def _planned(self, caller: Caller, asked: Features, lineup: Lineup | None = None) -> Route:
        if not self._providers:
            raise Refused(NO_PROVIDER)
        return choose(
            asked,
            lineup or self._lineup(),
            self.policy,
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

    def _embedding_model(self, caller: Caller, wanted: str) -> Model:
        """Raises:
        NotFound: no configured provider is named, and the catalog knows no such model.
        """
        providers = self._embedding_providers()
        known = [one for one in self._catalog.named(wanted) if one.provider in providers]
        provider, _, name = wanted.partition("/")
        if known:
            # A subscription includes no embeddings: what makes them is billed.
            model = replace(known[0], is_included=False)
        elif provider in providers and name.isprintable() and 0 < len(name) <= MOST_NAME_LETTERS:
            model = Model(wanted, provider, name, name)
        else:
            raise NotFound(
                f"no configured provider has the model {shown(wanted)!r}; name it with its "
                f"provider, such as {next(iter(providers))}/text-embedding-3-small",
                suggestions=self._catalog.near(wanted),
            )
        if not caller.may_use_model(model.id):
            raise PermissionDenied(f"the key of {caller.name!r} may not use {model.id}")
        return model

    def _embedding_providers(self) -> Collection[str]:
        if not self._providers:
            raise Refused(NO_PROVIDER)
        forced = self.policy.forced_provider
        return [name for name in self._providers if forced in (None, name)] or [forced or ""]

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(QUEUE_SECONDS if self._slots.locked() else None):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable(
                f"{self._max_parallel} requests are being answered at once, and none ended "
                f"within {QUEUE_SECONDS:g} s",
                retry_after_seconds=5,
            ) from error
        working = asyncio.get_running_loop().create_future()
        self._working.add(working)
        try:
            yield
        finally:
            self._working.discard(working)
            working.set_result(None)
            self._slots.release()


def _refuse_other_models(request: ChatRequest) -> None:
    for name in OTHER_MODELS:
        if name in request.extra:
            raise InvalidRequest(
                f"{name}: name one model, or auto; which others may answer is for the gateway to "
                "say, by its fallback"
            )

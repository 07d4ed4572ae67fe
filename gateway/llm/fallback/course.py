"""The course of one request over models: what to try first, and after each failure what next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.errors import (
    ContextTooLong,
    GatewayError,
    KeyRefused,
    LimitExceeded,
    PaymentRequired,
    Unavailable,
)
from gateway.llm.fallback.degrading import (
    Lessened,
    fewer_messages,
    plain_json,
    shorter_answers,
    without_tools,
)
from gateway.llm.fallback.following import mends
from gateway.llm.fallback.network import Network
from gateway.llm.fallback.room import MOST_RATIO, corrected, held_by, held_tokens, scaled
from gateway.llm.features import Features
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model, Tier
from gateway.llm.policy import FallbackStrategy, Policy
from gateway.llm.provider.health import Unreachable
from gateway.llm.route import Route, Step
from gateway.llm.wanted import read_wanted

# Tries by one strategy; the next models of a route are as many as the route may have steps.
MOST_TRIES = 3
# Looked at for the largest context that may be used.
MOST_LOOKED_AT = 64
OF_MONEY = (LimitExceeded, PaymentRequired)


@dataclass(frozen=True, slots=True)
class Planner:
    """How routes are made for one caller; `plan_local` knows models of this machine only."""

    plan: Callable[[Features, Policy], Route]
    plan_local: Callable[[Features, Policy], Route]
    features: Callable[[ChatRequest], Features]
    local_ids: Callable[[], Sequence[str]]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Pick:
    """What is tried now: a step of a route, what is asked, and what led to it.

    `strategy` is None for the first. `warnings` say what an answer lacks of what was asked.
    """

    step: Step
    route: Route
    request: ChatRequest
    strategy: FallbackStrategy | None
    why: str
    warnings: tuple[str, ...] = ()


class Course:
    """`first`, then `after` each failure; `failure` is what to tell when nothing is left."""

    def __init__(
        self,
        planner: Planner,
        request: ChatRequest,
        asked: Features,
        *,
        policy: Policy,
        network: Network,
        degrades: bool | None = None,
    ) -> None:
        self._planner = planner
        self._policy = policy
        self._network = network
        self._original = request
        self._asked = asked
        # How many times our guess the input counted, as far as a refusal said.
        self._ratio = 1.0
        # What the last model holds that held too little.
        self._holds = 0
        self._lessened = Lessened(request)
        self._is_named = read_wanted(request.model, policy.aliases).name is not None
        self._strategies = self._chosen(degrades)
        self._route: Route | None = None
        self._is_kept = False
        self._error: GatewayError | None = None
        self._trouble: GatewayError | None = None
        self._failed: dict[tuple[str, Tier], GatewayError] = {}
        # Providers that will take none of their models for a while.
        self._away: set[str] = set()
        self._tries: dict[FallbackStrategy, int] = {}
        self._count = 0
        self._lessenings: Iterator[Lessened] | None = None
        self._ways: Mapping[FallbackStrategy, Callable[[GatewayError], Pick | None]] = {
            "next_model": self._next_model,
            "larger_context": self._larger_context,
            "cheaper": self._cheaper,
            "local": self._local,
            "degraded": self._degraded,
        }

    def first(self, kept: Route | None = None) -> Pick:
        """`kept` is the route to the model that answered so far.

        Raises:
            GatewayError: no model may be called; it says what to change.
        """
        if kept is not None:
            self._route, self._is_kept = kept, True
            return Pick(kept.steps[0], kept, self._original, None, kept.steps[0].reason)
        if "local" in self._strategies and self._network.is_avoided:
            pick = self._local(Unavailable("", retry_after_seconds=0))
            if pick is not None:
                return pick
        self._route = route = self._planner.plan(self._asked, self._policy)
        self._error = route.error(self._planner.clock())
        if self._error is None:
            return Pick(route.steps[0], route, self._original, None, route.steps[0].reason)
        found = self._next(self._error, is_planned=True)
        if found is None:
            raise self._error
        return found

    def after(self, error: GatewayError, model: Model, *, was_sent: bool) -> Pick | None:
        """What to try after this error of the last pick; None is nothing more."""
        self._count += 1
        self._error = self._error or error
        self._failed[model.id, model.tier] = error
        is_lost = isinstance(error, Unreachable) and not was_sent
        if is_lost or isinstance(error, KeyRefused | PaymentRequired):
            self._away.add(model.provider)
        if isinstance(error, ContextTooLong):
            self._correct(error, model)
        return self._next(error, is_planned=False)

    def failure(self) -> GatewayError:
        """The first error, with what was tried after it."""
        assert self._error is not None
        tried = [f"{one} {_times(count)}" for one, count in self._tries.items() if count]
        if tried:
            none = [one for one, count in self._tries.items() if not count]
            found = f"; {' and '.join(none)} found no model" if none else ""
            said = f"{str(self._error).rstrip('.')}; fallback: {', '.join(tried)}{found}"
            self._error.args = (said, *self._error.args[1:])
        return self._error

    def _chosen(self, degrades: bool | None) -> tuple[FallbackStrategy, ...]:
        policy, strategies = self._policy, self._policy.fallback
        if self._is_named:
            strategies = tuple(one for one in strategies if one != "local")
        if degrades is None:
            is_work = (self._asked.context or policy.default_context) == "work"
            degrades = "degraded" in strategies
            degrades &= policy.degrades_work or not is_work
            degrades &= policy.degrades_named or not self._is_named
        if degrades:
            return strategies if "degraded" in strategies else (*strategies, "degraded")
        return tuple(one for one in strategies if one != "degraded")

    def _correct(self, error: ContextTooLong, model: Model) -> None:
        self._holds = held_by(model, error)
        before = max(self._asked.input_tokens, 1)
        self._asked = corrected(self._asked, model, error)
        ratio = self._ratio * self._asked.input_tokens / before
        self._ratio = min(max(ratio, 1.0), MOST_RATIO)

    def _next(self, error: GatewayError, *, is_planned: bool) -> Pick | None:
        self._trouble = error
        # Other providers would be reached no better.
        is_gone = self._network.is_gone
        in_order = sorted(self._strategies, key=lambda one: not (is_gone and one == "local"))
        for strategy in in_order:
            if not mends(strategy, error, others=self._strategies, is_planned=is_planned):
                continue
            tries = self._tries.setdefault(strategy, 0)
            if not self._may_try(strategy, tries):
                continue
            if (pick := self._ways[strategy](error)) is not None:
                self._tries[strategy] = tries + 1
                return pick
            # Its words may have been misread, and what the catalog says of others be true.
            may_be_misread = strategy == "larger_context" and not is_planned
            if may_be_misread and (pick := self._next_that_holds_more()) is not None:
                return pick
        return None

    def _next_that_holds_more(self) -> Pick | None:
        tries = self._tries.get("next_model", 0)
        if "next_model" not in self._strategies or not self._may_try("next_model", tries):
            return None
        # What was counted is reserved all the same.
        needs = replace(self._asked.needs, context_tokens=self._holds + 1)
        route = self._planned(replace(self._asked, needs=needs), self._policy)
        why = "it holds more than the one before"
        pick = self._picked(self._untried(route), route, "next_model", why)
        self._tries["next_model"] = tries + (pick is not None)
        return pick

    def _may_try(self, strategy: FallbackStrategy, tries: int) -> bool:
        if strategy == "next_model":
            return self._count < self._policy.max_steps
        return tries < MOST_TRIES

    def _next_model(self, error: GatewayError) -> Pick | None:
        if self._is_kept or isinstance(error, LimitExceeded):
            self._route = self._planned(self._asked, self._policy)
        assert self._route is not None
        if not self._untried(self._route):
            # What another strategy led to is used up: back to what the policy says.
            self._route = self._planner.plan(self._asked, self._policy)
        steps = self._untried(self._route)
        steps.sort(key=lambda one: one.model.provider in self._away)
        last = next(reversed(self._failed))[0]
        return self._picked(steps, self._route, "next_model", f"{last} gave none: {error.code}")

    def _larger_context(self, error: GatewayError) -> Pick | None:
        needed = self._asked.needs.context_tokens
        route = self._planned(self._asked, self._with_local())
        larger = [one for one in self._untried(route) if held_tokens(one.model) >= needed]
        why = f"about {needed:,} tokens of context are needed, more than guessed"
        if not self._failed:
            why = f"about {needed:,} tokens of context are needed"
        return self._picked(larger, route, "larger_context", why)

    def _cheaper(self, error: GatewayError) -> Pick | None:
        route = self._planned(self._asked, self._with_local())
        why = "what it may cost fits, and that of the model before did not"
        if not self._failed:
            why = "nothing else can be had for what may be spent"
        elif isinstance(error, PaymentRequired):
            why = "the model before could not be paid for"
        return self._picked(self._untried(route), route, "cheaper", why)

    def _local(self, error: GatewayError) -> Pick | None:
        if not self._network.is_gone:
            return None
        policy = replace(self._policy, free_models=(), paid_models=(), task_models={})
        route = self._planner.plan_local(self._asked, policy)
        return self._picked(self._untried(route), route, "local", self._network.reason)

    def _degraded(self, error: GatewayError) -> Pick | None:
        if self._lessenings is None:
            self._lessenings = self._all_lessenings()
        for lessened in self._lessenings:
            asked = self._features(lessened.request)
            route = self._planner.plan(asked, self._with_local())
            still_failed = {
                key: one
                for key, one in self._failed.items()
                if not isinstance(one, ContextTooLong | LimitExceeded)
            }
            steps = [one for one in route.steps if _key(one.model) not in still_failed]
            if steps:
                self._failed, self._asked, self._lessened = still_failed, asked, lessened
                why = "; ".join(lessened.warnings)
                return self._picked(steps, route, "degraded", why)
        return None

    def _all_lessenings(self) -> Iterator[Lessened]:
        """One demand less, then another one, then both; a shorter request; a shorter answer."""
        start, every = Lessened(self._original), Lessened(self._original)
        for lessen in (plain_json, without_tools):
            if (one := lessen(self._original)) is not None:
                yield start.also(one)
                every = every.also(lessen(every.request))
        is_long = isinstance(self._trouble, ContextTooLong)
        if len(every.warnings) > 1:
            yield every
        cuts = (start, every) if every.warnings else (start,)
        for one in cuts if is_long else ():
            if (cut := fewer_messages(one.request, self._room_tokens(one.request))) is not None:
                yield one.also(cut)
        if is_long or isinstance(self._trouble, OF_MONEY):
            for one in cuts:
                most = self._policy.max_output_tokens
                for shorter in shorter_answers(one.request, most_tokens=most):
                    yield one.also(shorter)

    def _room_tokens(self, request: ChatRequest) -> int:
        """For the input, by our count, in the largest model that could be used for it."""
        asked = self._features(request)
        output_tokens = asked.needs.context_tokens - asked.input_tokens
        small = replace(asked, input_tokens=1, needs=replace(asked.needs, context_tokens=1))
        policy = replace(self._with_local(), max_steps=MOST_LOOKED_AT)
        route = self._planner.plan(small, policy)
        largest = max((held_tokens(one.model) for one in route.steps), default=0)
        return round((largest - output_tokens) / self._ratio)

    def _features(self, request: ChatRequest) -> Features:
        return scaled(self._planner.features(request), self._ratio)

    def _with_local(self) -> Policy:
        """Models of this machine too, where the operator lists others; not against its word."""
        policy = self._policy
        is_ended = isinstance(self._trouble, OF_MONEY) and policy.action("error") is not None
        if self._is_named or is_ended or not policy.free_models:
            return policy
        return replace(policy, free_models=(*policy.free_models, *self._planner.local_ids()))

    def _planned(self, asked: Features, policy: Policy) -> Route:
        route = self._planner.plan(asked, policy)
        refused = route.error(self._planner.clock())
        if refused is not None and isinstance(self._error, LimitExceeded):
            # Others took what was left of it meanwhile: this one says all of it.
            self._error = refused
        return route

    def _untried(self, route: Route) -> list[Step]:
        return [one for one in route.steps if _key(one.model) not in self._failed]

    def _picked(
        self, steps: Sequence[Step], route: Route, strategy: FallbackStrategy, why: str
    ) -> Pick | None:
        if not steps:
            return None
        self._route, self._is_kept = route, False
        lessened = self._lessened
        return Pick(steps[0], route, lessened.request, strategy, why, lessened.warnings)


def _key(model: Model) -> tuple[str, Tier]:
    """A model that is included and the same one paid have one ID, and are two."""
    return model.id, model.tier


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

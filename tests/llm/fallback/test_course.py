"""The course of a request, decided without calling anything: by its errors and the policy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    BadAnswer,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PaymentRequired,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from gateway.llm.fallback.course import MOST_TRIES, Course, Pick, Planner
from gateway.llm.fallback.following import mends
from gateway.llm.fallback.network import Network
from gateway.llm.features import features
from gateway.llm.lineup import Lineup
from gateway.llm.messages import AnswerFormat, ChatRequest, Message, Text, ToolDefinition
from gateway.llm.model import Model
from gateway.llm.policy import FALLBACK_STRATEGIES, WHOLE_ANSWERS, FallbackStrategy, Policy
from gateway.llm.provider.health import Unreachable
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings
from gateway.llm.router import choose
from gateway.llm.walk import READY, Condition
from tests.llm.lineups import free, model, shortage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HELLO = ChatRequest("auto", (Message("user", (Text("Hello!"),)),))
SCHEMA = AnswerFormat("json_schema", schema={"type": "object"})
TOOL = ToolDefinition("look", "Looks.", {"type": "object"})
ALL = (*WHOLE_ANSWERS, "degraded")

KINDS: tuple[Callable[[], GatewayError], ...] = (
    lambda: Unreachable("cannot be reached", retry_after_seconds=5),
    lambda: Unavailable("busy", retry_after_seconds=5),
    lambda: ContextTooLong("too long"),
    lambda: PaymentRequired("no balance"),
    lambda: LimitExceeded("full", limit="free", retry_after_seconds=60),
    lambda: BadAnswer("?"),
    lambda: NotFound("gone"),
)
LOST, BUSY, LONG, BROKE, FULL, *_ = (kind() for kind in KINDS)


@dataclass
class World:
    """Models, and what a call of each may cost at most before a limit refuses it."""

    models: tuple[Model, ...]
    policy: Policy
    most_microusd: int | None = None

    def __post_init__(self) -> None:
        providers = {
            one.provider: Provider(
                ProviderSettings(
                    one.provider,
                    "ollama" if one.is_local else "openai_compatible",
                    base_url="http://127.0.0.1:9/v1",
                )
            )
            for one in self.models
        }
        self.network = Network(providers, clock=lambda: NOW)

    def condition(self, _: Model, worst_microusd: int | None) -> Condition:
        most = self.most_microusd
        is_over = most is not None and (worst_microusd is None or worst_microusd > most)
        return Condition(shortage=shortage(unit="microusd")) if is_over else READY

    def course(self, request: ChatRequest = HELLO, *, degrades: bool | None = None) -> Course:
        lineup = Lineup(self.models)
        local = Lineup(one for one in self.models if one.is_local)
        planner = Planner(
            lambda asked, policy: choose(asked, lineup, policy, conditions=self.condition),
            lambda asked, policy: choose(asked, local, policy, conditions=self.condition),
            features,
            lambda: [one.model.id for one in local.contenders],
            lambda: NOW,
        )
        return Course(
            planner,
            request,
            features(request),
            policy=self.policy,
            network=self.network,
            degrades=degrades,
        )

    def failed(self, course: Course, pick: Pick, error: GatewayError) -> Pick | None:
        provider = pick.step.model.provider
        was_sent = not isinstance(error, Unreachable | LimitExceeded)
        self.network.heard(provider, error, was_sent=was_sent)
        return course.after(error, pick.step.model, was_sent=was_sent)


@pytest.mark.parametrize(
    ("error", "strategies"),
    [
        (BUSY, {"next_model", "local", "degraded"}),
        (LONG, {"larger_context", "degraded"}),
        (FULL, {"cheaper", "degraded"}),
        (BROKE, {"next_model", "cheaper", "degraded"}),
        (BadAnswer("?"), {"next_model", "degraded"}),
        (RateLimited("?", retry_after_seconds=1), {"next_model", "degraded"}),
        (PermissionDenied("no"), {"next_model"}),
    ],
)
def test_each_error_has_its_strategies(error: GatewayError, strategies: set[str]) -> None:
    every = FALLBACK_STRATEGIES
    assert strategies == {one for one in every if mends(one, error, others=every, is_planned=False)}
    assert not mends("next_model", error, others=every, is_planned=True)


def test_alone_the_next_model_follows_all_of_them() -> None:
    alone: FallbackStrategy = "next_model"
    for error in (LONG, FULL):
        assert mends(alone, error, others=(alone,), is_planned=False)


def test_the_models_of_a_provider_that_was_not_reached_come_last() -> None:
    models = (free("a/one"), free("a/two"), model("b/three", (1, 1)))
    world = World(models, Policy(may_pay=True, fallback=("next_model",)))
    course = world.course()
    first = course.first()
    assert first.step.model.provider == "a"
    second = world.failed(course, first, LOST)
    assert second is not None
    assert second.step.model.id == "b/three"
    third = world.failed(course, second, BUSY)
    assert third is not None
    assert third.step.model.provider == "a"
    assert world.failed(course, third, LOST) is None
    assert str(course.failure()) == "cannot be reached; fallback: next_model 2 times"


def test_a_larger_context_is_a_known_one_that_holds_what_is_needed() -> None:
    models = (
        free("a/small", context_tokens=8_000),
        free("a/unknown", context_tokens=None),
        free("a/same", context_tokens=8_000),
        model("b/large", (1, 1), context_tokens=64_000),
    )
    world = World(models, Policy(may_pay=True, fallback=("larger_context",)))
    course = world.course()
    pick = course.first()
    pick_of_8000 = replace(pick, step=replace(pick.step, model=models[0]))
    larger = world.failed(course, pick_of_8000, LONG)
    assert larger is not None
    assert larger.step.model.id == "b/large"
    assert larger.route.features.needs.context_tokens == 8_001
    error = ContextTooLong("prompt is too long: 70000 tokens > 64000 maximum")
    assert world.failed(course, larger, error) is None


def test_where_no_context_is_large_enough_a_larger_one_of_the_route_is_tried() -> None:
    models = (
        free("a/said", context_tokens=100_000),
        free("a/same", context_tokens=16_000),
        free("b/larger", context_tokens=120_000),
    )
    world = World(models, Policy(fallback=("next_model", "larger_context")))
    course = world.course(replace(HELLO, max_output_tokens=50))
    pick = course.first()
    pick = replace(pick, step=replace(pick.step, model=models[0]))
    counted = replace(pick.route.features.needs, context_tokens=60_000)
    course._asked = replace(pick.route.features, needs=counted, input_tokens=59_950)
    words = "prompt is too long: 150000 tokens > 20000 maximum"
    following = world.failed(course, pick, ContextTooLong(words))
    assert following is not None
    assert (following.strategy, following.step.model.id) == ("next_model", "b/larger")
    assert world.failed(course, following, ContextTooLong(words)) is None


def test_when_a_limit_refuses_only_what_fits_in_the_rest_is_picked() -> None:
    models = (model("a/dear", (50, 400)), model("a/cheap", (0.1, 0.2)))
    world = World(models, Policy(may_pay=True, fallback=("cheaper",)))
    course = world.course(replace(HELLO, model="auto:best"))
    first = course.first()
    dear = replace(first, step=replace(first.step, model=models[0]))
    world.most_microusd = 10_000
    cheaper = world.failed(course, dear, FULL)
    assert cheaper is not None
    assert (cheaper.strategy, cheaper.step.model.id) == ("cheaper", "a/cheap")
    world.most_microusd = 1
    assert world.failed(course, cheaper, FULL) is None


def test_models_of_this_machine_stand_in_although_others_are_listed() -> None:
    models = (model("a/paid", (50, 400)), free("home/one", is_local=True))
    policy = Policy(may_pay=True, free_models=("a/none",), paid_models=("a/paid",))
    world = World(models, policy, most_microusd=10)
    pick = world.course().first()
    assert (pick.strategy, pick.step.model.id) == ("cheaper", "home/one")


def test_local_models_come_before_others_once_the_network_is_gone() -> None:
    models = (free("a/one"), free("b/two"), free("c/three"), free("home/four", is_local=True))
    world = World(models, Policy(free_models=("a/one", "b/two", "c/three")))
    course = world.course()
    second = world.failed(course, course.first(), LOST)
    assert second is not None
    assert second.strategy == "next_model"
    third = world.failed(course, second, LOST)
    assert third is not None
    assert (third.strategy, third.step.model.id) == ("local", "home/four")
    # Not the network after all, or it came back.
    fourth = world.failed(course, third, BUSY)
    assert fourth is not None
    assert world.course().first().strategy == "local"


@pytest.mark.parametrize(
    ("request_of", "lacks", "warning"),
    [
        (lambda one: replace(one, answer_format=SCHEMA), "has_structured_output", "JSON schema"),
        (lambda one: replace(one, tools=(TOOL,)), "has_tools", "tools"),
    ],
)
def test_a_demand_that_no_model_meets_is_dropped(
    request_of: Callable[[ChatRequest], ChatRequest], lacks: str, warning: str
) -> None:
    request = request_of(HELLO)
    world = World((free("a/one", **{lacks: False}),), Policy(fallback=ALL))
    pick = world.course(request).first()
    assert pick.strategy == "degraded"
    assert warning in "".join(pick.warnings)
    with pytest.raises(InvalidRequest):
        world.course(request, degrades=False).first()


def test_demands_are_dropped_together_only_where_one_is_not_enough() -> None:
    request = replace(HELLO, answer_format=SCHEMA, tools=(TOOL,))
    weak = free("a/weak", has_structured_output=False, has_tools=False)
    fair = free("a/fair", has_tools=False)
    pick = World((weak,), Policy(fallback=ALL)).course(request).first()
    assert len(pick.warnings) == 2
    assert (pick.request.answer_format, pick.request.tools) == (None, ())
    pick = World((weak, fair), Policy(fallback=ALL)).course(request).first()
    assert pick.step.model == fair
    assert len(pick.warnings) == 1


def test_a_conversation_is_cut_to_what_the_provider_counts() -> None:
    turns = tuple(
        Message(role, (Text(f"{number} said " * 400),))
        for number in range(20)
        for role in ("user", "assistant")
    )
    request = replace(HELLO, messages=(*turns, *HELLO.messages), max_output_tokens=100)
    world = World((free("a/one", context_tokens=64_000),), Policy(fallback=ALL))
    course = world.course(request)
    first = course.first()
    counted = round(first.route.features.input_tokens * 1.5)
    error = ContextTooLong(f"prompt is too long: {counted} tokens > 30000 maximum")
    world.models = (free("a/one", context_tokens=30_000),)
    cut = world.course(request)
    pick = cut.after(error, first.step.model, was_sent=True)
    assert pick is not None
    assert pick.strategy == "degraded"
    # The same model once more, for it is asked less.
    assert pick.step.model.id == "a/one"
    assert features(pick.request).input_tokens * 1.5 <= 30_000


@given(
    st.lists(st.sampled_from(FALLBACK_STRATEGIES), unique=True),
    st.lists(st.sampled_from(KINDS), min_size=60, max_size=60),
    st.booleans(),
    st.booleans(),
)
def test_whatever_fails_a_course_ends_and_asks_nothing_twice(
    strategies: list[FallbackStrategy],
    errors: list[Callable[[], GatewayError]],
    is_named: bool,
    may_pay: bool,
) -> None:
    models = tuple(
        model(
            f"{provider}/m{number}",
            (number, number) if provider != "home" else (0, 0),
            context_tokens=8_000 * (number + 1),
            is_local=provider == "home",
        )
        for provider, number in product(("a", "b", "home"), range(4))
    )
    policy = Policy(may_pay=may_pay, fallback=tuple(strategies))
    world = World(models, policy)
    request = replace(HELLO, tools=(TOOL,), answer_format=SCHEMA)
    course = world.course(replace(request, model="m1" if is_named else "auto"))
    pick: Pick | None = course.first()
    asked: list[tuple[str, ChatRequest]] = []
    for kind in errors:
        assert pick is not None
        assert pick.strategy in (None, *strategies)
        assert not is_named or pick.step.model.name == "m1"
        assert may_pay or is_named or pick.step.model.tier == "free"
        asked.append((pick.step.model.id, pick.request))
        pick = world.failed(course, pick, kind())
        if pick is None:
            break
    assert pick is None
    assert len(asked) <= policy.max_steps + MOST_TRIES * len(strategies)
    assert all(one not in asked[:place] for place, one in enumerate(asked))
    assert isinstance(course.failure(), GatewayError)

"""Our router in a month: what it chooses, what it hears of its answers, and what it tests."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from gateway.clock import Clock
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Kind, Observation
from gateway.llm.belief import NO_BELIEFS, Beliefs
from gateway.llm.features import Features
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model
from gateway.llm.observing import Observer
from gateway.llm.policy import Policy, Priority
from gateway.llm.router import choose
from gateway.llm.walk import Condition, Conditions
from gateway.usage.call import Amount, Call
from tests.load.month_gateway import MOST_OUTPUT_TOKENS, Gateway, expected_microusd
from tests.load.month_world import ASKED_FOR, Asked, Reply, World, requests

# People rate few answers, and now and then press the wrong thumb; who got a bad answer often asks
# again at once.
THUMB_SHARE, THUMB_TRUTH, REPEAT_SHARE = 0.03, 0.85, 0.3
# What may be spent on checking models in the first night, and in each later one as a share of what
# the day before it cost. In the first night there are so many cases of each model at each task, and
# in a later one so many of all together.
FIRST_PURSE_MICROUSD, PURSE_SHARE = 500_000, 0.03
FIRST_CASES, MOST_CASES = 5, 30
CASES_OF_A_TASK = 5
# No request has so high a number: cases turn out by dice of their own.
FIRST_CASE_NUMBER = 1_000_000
Suite = Mapping[str, Sequence[Asked]]
POLICY = Policy(may_pay=True, max_output_tokens=MOST_OUTPUT_TOKENS)


class Ours:
    """Without evidence it learns nothing and tests nothing."""

    def __init__(
        self,
        world: World,
        *,
        clock: Clock,
        priority: Priority | None = None,
        evidence: Evidence | None = None,
        sees_difficulty: bool = True,
        policy: Policy = POLICY,
        share: float = 1.0,
    ) -> None:
        self._world, self._clock = world, clock
        self._priority = priority
        self._evidence = evidence
        self._sees_difficulty = sees_difficulty
        self._policy = policy
        self._share = share
        self._observer = Observer(evidence, clock=clock)
        self._dice = random.Random(f"ours {world.seed}")
        self._beliefs = NO_BELIEFS
        self._lined_up: tuple[Sequence[Model], Lineup] | None = None
        self._told: list[Observation] = []
        self._spent = 0
        self._turns: Counter[tuple[str, str]] = Counter()
        self._numbers = count(FIRST_CASE_NUMBER)

    def picked(self, asked: Asked, gateway: Gateway) -> Iterable[Model]:
        route = choose(
            self._features(asked.features),
            self._lineup(),
            self._policy,
            conditions=_conditions(asked, gateway),
            measured=gateway.measured(),
            beliefs=self._beliefs,
            explores=self._dice.random() < self._policy.explore_share,
        )
        return [step.model for step in route.steps]

    def answered(self, asked: Asked, call: Call, reply: Reply) -> None:
        """The signs of use that the gateway sees, and the thumbs of those who press one."""
        dice = random.Random(f"{self._world.seed}:{asked.number}:sign")
        self._observer.ended(call, reply.error.code if reply.error else "ok")
        if reply.error is not None or self._evidence is None:
            return
        text = f"{asked.number}: {asked.text}"
        self._observer.answering(call.caller, text, call)
        if not reply.is_good and dice.random() < REPEAT_SHARE:
            self._observer.answering(call.caller, text, call)
        if dice.random() < THUMB_SHARE:
            is_up = reply.is_good == (dice.random() < THUMB_TRUTH)
            self._saw(call.model, call.task or "general", "thumb", is_good=is_up)

    async def night(self, gateway: Gateway, suite: Suite, *, day: int) -> int:
        """Check some models, learn from the day; what the checks cost, in micro-dollars."""
        if self._evidence is None:
            return 0
        before = gateway.tally.cost_microusd
        purse = PURSE_SHARE * (before - self._spent) if day else FIRST_PURSE_MICROUSD * self._share
        for model, case in self._cases(suite, day=day):
            expected = expected_microusd(model, case)
            if gateway.tally.cost_microusd - before + expected > purse:
                continue
            if gateway.is_ready(model, case):
                reply = await gateway.call(model, case, task=case.task, request_type="benchmark")
                if reply is not None and reply.error is None:
                    self._saw(model.id, case.task, "benchmark", is_good=reply.is_good)
        await self._evidence.record(self._told)
        await self._evidence.refresh()
        self._told = []
        self._beliefs = Beliefs(self._evidence.everything)
        self._spent = gateway.tally.cost_microusd
        return self._spent - before

    def _cases(self, suite: Suite, *, day: int) -> Iterator[tuple[Model, Asked]]:
        """Each model at each task in turn; the cheapest go first, for a purse may not last."""
        first, later = round(FIRST_CASES * self._share), round(MOST_CASES * self._share)
        for _ in range(1 if day else max(first, 1)):
            pairs = sorted(
                ((model, task) for model in self._world.listed(self._clock()) for task in suite),
                key=lambda pair: (
                    self._turns[pair[0].id, pair[1]],
                    expected_microusd(pair[0], suite[pair[1]][0]),
                ),
            )
            for model, task in pairs[: max(later, 1) if day else None]:
                turn = self._turns[model.id, task]
                self._turns[model.id, task] += 1
                case = suite[task][turn % len(suite[task])]
                yield model, replace(case, number=next(self._numbers), at=self._clock())

    def _saw(self, model: str, task: str, kind: Kind, *, is_good: bool) -> None:
        seen = Observation(model, task, kind, float(is_good), 1.0, "month", self._clock())
        self._told.append(seen)

    def _features(self, read: Features) -> Features:
        strength = read.strength if self._sees_difficulty else None
        return replace(read, strength=strength, priority=self._priority)

    def _lineup(self) -> Lineup:
        """One for each list of prices."""
        listed = self._world.listed(self._clock())
        if self._lined_up is None or self._lined_up[0] is not listed:
            self._lined_up = (listed, Lineup(listed))
        return self._lined_up[1]


def case_suite(*, seed: int) -> Suite:
    """A few cases of each task, of the size that somebody would write down."""
    asked = requests(400, seed=seed + 7_919)
    return {
        task: [one for one in asked if one.task == task and one.characters <= usual][
            :CASES_OF_A_TASK
        ]
        for task, (_, _, usual, _) in ASKED_FOR.items()
    }


def _conditions(asked: Asked, gateway: Gateway) -> Conditions:
    """As a completion sees them."""

    def condition(model: Model, worst_microusd: int | None) -> Condition:
        most = asked.features.most_input_tokens
        worst = Amount(tokens=most + MOST_OUTPUT_TOKENS, input_tokens=most, microusd=worst_microusd)
        cooling_seconds = gateway.cooling_seconds(model)
        return Condition(cooling_seconds, gateway.shortage(model, asked, worst))

    return condition

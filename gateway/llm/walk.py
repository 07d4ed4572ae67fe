"""One choice in progress: goes through stages of models, best first, and collects steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.llm.features import Features
from gateway.llm.lineup import Contender, Lineup
from gateway.llm.messages import Usage
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.refusal import refusal
from gateway.llm.route import Refusal, Route, Step
from gateway.llm.scoring import Measured, Scoring
from gateway.llm.screening import LeftOut, Screen
from gateway.llm.tokens import most_output_tokens
from gateway.usage.limit import Shortage, dollars

# Steps of one provider in one stage of a route: the next ones help when that provider is down.
MOST_OF_ONE_PROVIDER = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """What holds for one model at this moment.

    `shortage` is the limit that would refuse the call now. `is_allowed` says whether this caller
    may use the model.
    """

    is_allowed: bool = True
    cooling_seconds: float = 0.0
    shortage: Shortage | None = None


READY = Condition()
# The condition of a model for a call that costs at most so many micro-dollars (None: unknown).
Conditions = Callable[[Model, int | None], Condition]


@dataclass(frozen=True, slots=True)
class Stage:
    """Models that are here for one reason, `label`.

    They are tried by score unless they are `in_order`, and in turn if there is a `turn`. Models
    that somebody named are tried although an ability of theirs is not known. `places` are those
    in the operator's list.
    """

    label: str
    contenders: Sequence[Contender]
    may_pay: bool
    most_microusd: int | None = None
    most_of_one_provider: int | None = MOST_OF_ONE_PROVIDER
    places: Mapping[Contender, int] = field(default_factory=dict)
    in_order: bool = False
    is_named: bool = False
    turn: int | None = None


class Walk:
    """One choice in progress: goes through stages of models and collects steps."""

    def __init__(
        self,
        asked: Features,
        policy: Policy,
        lineup: Lineup,
        conditions: Conditions,
        measured: Mapping[str, Measured],
    ) -> None:
        self.asked, self.policy, self.lineup = asked, policy, lineup
        expected = asked.output_tokens or policy.expected_output_tokens
        most = asked.most_output_tokens
        self.scoring = Scoring(
            asked.task,
            asked.priority or policy.priority,
            asked.complexity,
            asked.input_tokens,
            (expected if most is None else min(expected, most)) * asked.choices,
            measured,
        )
        self.screen = Screen(asked, policy)
        self.left_out = LeftOut()
        self.steps: list[Step] = []
        self.shortages: list[Shortage] = []
        self.cooling_seconds: list[float] = []
        self._conditions = conditions
        self._seen: set[Contender] = set()
        self._doubtful: list[tuple[Stage, list[Contender]]] = []

    @property
    def is_full(self) -> bool:
        return len(self.steps) >= self.policy.max_steps

    def take(self, stage: Stage) -> None:
        if self.is_full:
            return
        fresh = [one for one in stage.contenders if one not in self._seen]
        self._seen.update(fresh)
        sure, doubtful = self.screen.sift(fresh, may_pay=stage.may_pay, left_out=self.left_out)
        if stage.is_named:
            self._try(stage, [one for one in fresh if one in sure or one in doubtful])
            return
        if doubtful:
            self._doubtful.append((stage, doubtful))
        self._try(stage, sure)

    def take_doubtful(self) -> None:
        """Models that perhaps can serve are better than none, and worse than any other."""
        has_others = bool(self.steps)
        for stage, doubtful in self._doubtful:
            if not has_others:
                self._try(stage, doubtful, doubts=True)
                continue
            for one in doubtful:
                self.left_out.add(one, "doubtful", self.screen.doubt(one))

    def costs(self, one: Contender) -> tuple[int | None, int | None]:
        """What a call is expected to cost, and what it costs at most, in micro-dollars."""
        model, asked = one.model, self.asked
        if one.tier == "free":
            return 0, 0
        if model.price is None:
            return None, None
        most = most_output_tokens(
            asked.most_output_tokens,
            model,
            default=self.policy.max_output_tokens,
            choices=asked.choices,
        )
        usage = Usage(asked.input_tokens, min(round(self.scoring.output_tokens), most))
        worst = model.price.worst_microusd(max(asked.most_input_tokens, asked.input_tokens), most)
        return model.price.cost_microusd(usage), worst

    def _try(self, stage: Stage, contenders: Sequence[Contender], *, doubts: bool = False) -> None:
        contenders = self._ordered(contenders, stage)
        of_provider: dict[str, int] = {}
        for one in contenders:
            if self.is_full:
                return
            taken = of_provider.get(one.model.provider, 0)
            if stage.most_of_one_provider and taken >= stage.most_of_one_provider:
                continue
            expected, worst = self.costs(one)
            if self._is_ready(one, stage, worst):
                of_provider[one.model.provider] = taken + 1
                label = f"{stage.label}, though {self.screen.doubt(one)}" if doubts else stage.label
                score = self.scoring.score(one, stage.places)
                self.steps.append(Step(one.model, label, score, expected, worst))

    def _ordered(self, contenders: Sequence[Contender], stage: Stage) -> Sequence[Contender]:
        if stage.in_order:
            return contenders
        by_score = self.scoring.ordered(contenders, stage.places)
        if stage.turn is None or not contenders:
            return by_score
        # All that the operator lists take turns, or else the best.
        size = self.policy.max_steps
        circle = (
            sorted(contenders, key=stage.places.__getitem__) if stage.places else by_score[:size]
        )
        start = stage.turn % len(circle)
        return [*circle[start:], *circle[:start], *by_score[len(circle) :]]

    def _is_ready(self, one: Contender, stage: Stage, worst: int | None) -> bool:
        cap = stage.most_microusd
        if one.tier == "paid" and cap is not None and (worst is None or worst > cap):
            at_most = "an unknown sum" if worst is None else dollars(worst)
            reason = f"may cost {at_most}, more than max_cost {dollars(cap)}"
            self.left_out.add(one, "max_cost", reason)
            return False
        condition = self._conditions(one.model, worst)
        if not condition.is_allowed:
            self.left_out.add(one, "permission", "this caller may not use it")
            return False
        if condition.shortage is not None:
            self.shortages.append(condition.shortage)
            self.left_out.add(one, "limit", str(condition.shortage))
            return False
        if condition.cooling_seconds > 0:
            self.cooling_seconds.append(condition.cooling_seconds)
            rest = f"rests for {condition.cooling_seconds:.0f} s after failures"
            self.left_out.add(one, "cooling", rest)
            return False
        return True

    def route(self) -> Route:
        refused = None if self.steps else self._refusal()
        return Route(
            wanted=self.asked.wanted,
            features=self.asked,
            steps=tuple(self.steps),
            excluded=tuple(self.left_out.listed),
            excluded_counts=dict(self.left_out.counts),
            considered=len(self.lineup),
            reason=refused.message if refused else self._sentence(self.steps[0]),
            refusal=refused,
        )

    def _sentence(self, first: Step) -> str:
        asked, cost = self.asked, first.expected_microusd
        price = "free" if cost == 0 else "at an unknown price"
        if cost:
            price = f"about {dollars(cost)}"
        what = f"{asked.task}, complexity {asked.complexity:.2f}, {self.scoring.priority} first"
        return f"{first.model.id}, {price}: {first.reason} ({what})"

    def _refusal(self) -> Refusal:
        payable = (
            one for one in self.left_out.payable if self._conditions(one.model, None).is_allowed
        )
        cheapest = min(payable, key=self.scoring.expected_microusd, default=None)
        offer = None if cheapest is None else (cheapest, *self.costs(cheapest))
        return refusal(
            self.left_out,
            asked=self.asked,
            policy=self.policy,
            shortages=self.shortages,
            cooling_seconds=self.cooling_seconds,
            offer=offer,
        )

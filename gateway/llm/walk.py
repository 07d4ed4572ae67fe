"""One choice in progress: goes through stages of models, best first, and collects steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.llm.belief import Beliefs
from gateway.llm.features import Features
from gateway.llm.field import MOST_OF_ONE_PROVIDER
from gateway.llm.lineup import Contender, Lineup
from gateway.llm.messages import Usage
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.refusal import refusal
from gateway.llm.route import Refusal, Route, Step
from gateway.llm.scoring import Measured, Scoring
from gateway.llm.screening import LeftOut, Parted, Screen
from gateway.llm.tokens import most_output_tokens
from gateway.usage.limit import Shortage, dollars


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
        beliefs: Beliefs,
    ) -> None:
        self.asked, self.policy, self.lineup = asked, policy, lineup
        expected = asked.output_tokens or policy.expected_output_tokens
        most = asked.most_output_tokens
        self.scoring = Scoring(
            asked.task,
            asked.priority or policy.priority,
            asked.complexity,
            asked.demand,
            asked.input_tokens,
            (expected if most is None else min(expected, most)) * asked.choices,
            measured,
            beliefs,
        )
        self.screen = Screen(asked, policy)
        self.left_out = LeftOut()
        self.steps: list[Step] = []
        self.shortages: list[Shortage] = []
        self.cooling_seconds: list[float] = []
        self._conditions = conditions
        self._seen: set[Contender] = set()
        self._doubtful: list[tuple[Stage, Sequence[Contender]]] = []

    @property
    def is_full(self) -> bool:
        return len(self.steps) >= self.policy.max_steps

    def take(self, stage: Stage) -> None:
        if self.is_full:
            return
        parted, is_whole = self._parted(stage)
        sure, doubtful = self.screen.fitting(parted, self.left_out)
        if stage.is_named:
            able = {*sure, *doubtful}
            self._try(stage, [one for one in stage.contenders if one in able])
            return
        if doubtful:
            self._doubtful.append((stage, doubtful))
        if is_whole:
            ranking = self.scoring.ranked(parted.field, least_context=self.screen.context_tokens)
            self._try_in_order(stage, ranking, passed_over=ranking.pass_over)
        else:
            self._try(stage, sure)

    def _parted(self, stage: Stage) -> tuple[Parted, bool]:
        """The stage's models by what they can, and whether these are all of a tier, by score.

        Thousands of models are parted once for each kind of request, not for each request.
        """
        every = self.lineup.of_tier
        is_whole = any(stage.contenders is those for those in every.values())
        if is_whole and self._seen.isdisjoint(stage.contenders):
            self._seen.update(stage.contenders)
            key = (id(stage.contenders), self.screen.kind(may_pay=stage.may_pay))
            parted = self.lineup.remembered.get(key)
            if parted is None:
                parted = self.screen.part(stage.contenders, may_pay=stage.may_pay)
                self.lineup.remembered[key] = parted
            return parted, not stage.in_order and stage.turn is None and not stage.places
        fresh = [one for one in stage.contenders if one not in self._seen]
        self._seen.update(fresh)
        return self.screen.part(fresh, may_pay=stage.may_pay), False

    def take_doubtful(self) -> None:
        """Models that perhaps can serve are better than none, and worse than any other."""
        has_others = bool(self.steps)
        for stage, doubtful in self._doubtful:
            if not has_others:
                self._try(stage, doubtful, doubts=True)
                continue
            for one in doubtful:
                self.left_out.add(one, "doubtful", self.screen.doubt(one))

    def explore(self) -> None:
        """Put a model first that may be better than the best, and that costs no more."""
        is_work = self.asked.context == "work" and not self.policy.explores_work
        if is_work or not self.steps:
            return
        best, *others = self.steps
        hopeful = [one for one in others if _is_hopeful(one, best)]
        if not hopeful:
            return
        tried = max(hopeful, key=lambda one: one.score.belief.hope)
        reason = f"tried to learn more of it, in place of {best.model.id}; {tried.reason}"
        rest = [one for one in self.steps if one is not tried]
        self.steps = [replace(tried, reason=reason), *rest]

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
        self._try_in_order(stage, self._ordered(contenders, stage), doubts=doubts)

    def _try_in_order(
        self,
        stage: Stage,
        contenders: Iterable[Contender],
        *,
        doubts: bool = False,
        passed_over: Callable[[], None] = lambda: None,
    ) -> None:
        of_provider: dict[str, int] = {}
        for one in contenders:
            if self.is_full:
                return
            taken = of_provider.get(one.model.provider, 0)
            if stage.most_of_one_provider and taken >= stage.most_of_one_provider:
                continue
            expected, worst = self.costs(one)
            if not self._is_ready(one, stage, worst):
                passed_over()
                continue
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


def _is_hopeful(one: Step, best: Step) -> bool:
    """Whether it may be better than the best, as far as is known, and costs no more."""
    cost, most = one.expected_microusd, best.expected_microusd
    is_no_dearer = cost is not None and most is not None and cost <= most
    return is_no_dearer and one.score.belief.hope > best.score.belief.quality

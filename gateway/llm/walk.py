"""One choice in progress: goes through stages of models, best first, and collects steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import NamedTuple

from gateway.caller import Caller
from gateway.llm.accounting import most_answers
from gateway.llm.belief import Beliefs
from gateway.llm.features import Features
from gateway.llm.field import MOST_OF_ONE_PROVIDER, Field
from gateway.llm.lineup import Contender, Lineup
from gateway.llm.messages import Usage
from gateway.llm.model import Model
from gateway.llm.policy import Policy
from gateway.llm.prompting import Extra
from gateway.llm.refusal import refusal
from gateway.llm.route import Refusal, Route, Step
from gateway.llm.scoring import Measured, Scoring
from gateway.llm.screening import LeftOut, Parted, Screen
from gateway.usage.limit import Shortage, dollars


@dataclass(frozen=True, slots=True)
class Condition:
    """What holds for one model now; `shortage` is the limit that would refuse the call."""

    cooling_seconds: float = 0.0
    shortage: Shortage | None = None


READY = Condition()
# The condition of a model for a call that costs at most so many micro-dollars (None: unknown).
Conditions = Callable[[Model, int | None], Condition]
# What the caller's wording of a request for the model adds to it.
Extras = Callable[[Model], Extra]


@dataclass(frozen=True, slots=True)
class Stage:
    """Models that are here for one reason, `label`.

    They are tried by score unless they are `in_order` or `by_cost`, and in turn if there is a
    `turn`. Models that somebody named are tried although an ability of theirs is not known.
    `places` are those in the operator's list.
    """

    label: str
    contenders: Sequence[Contender]
    may_pay: bool
    most_microusd: int | None = None
    most_of_one_provider: int | None = MOST_OF_ONE_PROVIDER
    places: Mapping[Contender, int] = field(default_factory=dict)
    in_order: bool = False
    by_cost: bool = False
    is_named: bool = False
    turn: int | None = None

    @property
    def is_by_score(self) -> bool:
        return not (self.in_order or self.by_cost) and self.turn is None


class Costs(NamedTuple):
    """Micro-dollars of one call: what to expect, and at most, the freest answer first."""

    expected: int | None
    worst: Sequence[int | None]


class Walk:
    """One choice in progress: goes through stages of models and collects steps."""

    def __init__(
        self,
        asked: Features,
        policy: Policy,
        lineup: Lineup,
        conditions: Conditions,
        extras: Extras,
        *,
        caller: Caller,
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
        self.screen = Screen(asked, policy, caller)
        self.left_out = LeftOut()
        self.steps: list[Step] = []
        self.shortages: list[Shortage] = []
        self.cooling_seconds: list[float] = []
        self._conditions = conditions
        self._extras = extras
        self._stages: list[Stage] = []
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
            self._try_all(stage, parted.field)
        else:
            self._try(stage, sure)

    def _parted(self, stage: Stage) -> tuple[Parted, bool]:
        """The stage's models by what they can, and whether these are all of a tier.

        Thousands of models are parted once for each kind of request, not for each request.
        """
        if self.lineup.is_whole(stage.contenders) and self._seen.isdisjoint(stage.contenders):
            self._seen.update(stage.contenders)
            parted = self.lineup.remember(
                (id(stage.contenders), self.screen.kind(may_pay=stage.may_pay)),
                lambda: self.screen.part(stage.contenders, may_pay=stage.may_pay),
            )
            return parted, not (stage.in_order or stage.places)
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
        """Put a model first that may be better than the best, and that costs no more.

        Only among those that nobody put in an order: not before what the operator maps to a task.
        """
        is_work = self.asked.context == "work" and not self.policy.explores_work
        if is_work or not self.steps or not self._stages[0].is_by_score:
            return
        best, first = self.steps[0], self._stages[0]
        equals = [one for one, at in zip(self.steps, self._stages, strict=True) if at is first]
        hopeful = [one for one in equals[1:] if _is_hopeful(one, best)]
        if not hopeful:
            return
        tried = max(hopeful, key=lambda one: one.score.belief.hope)
        reason = f"tried to learn more of it, in place of {best.model.id}; {tried.reason}"
        rest = [one for one in self.steps if one is not tried]
        self.steps = [replace(tried, reason=reason), *rest]

    def costs(self, one: Contender) -> Costs:
        model, asked, price = one.model, self.asked, one.model.price
        if one.tier == "free":
            return Costs(0, (0,))
        if price is None:
            return Costs(None, (None,))
        more = self._extras(model)
        most_input = max(asked.most_input_tokens, asked.input_tokens) + more.most_input_tokens
        answers = [
            most * asked.choices
            for most in most_answers(
                asked.most_output_tokens, model, default_tokens=self.policy.max_output_tokens
            )
        ]
        output_tokens = min(round(self.scoring.output_tokens), answers[-1])
        expected = price.cost_microusd(Usage(asked.input_tokens + more.input_tokens, output_tokens))
        return Costs(expected, [price.worst_microusd(most_input, most) for most in answers])

    def _try(self, stage: Stage, contenders: Sequence[Contender], *, doubts: bool = False) -> None:
        self._try_in_order(stage, self._ordered(contenders, stage), doubts=doubts)

    def _try_all(self, stage: Stage, field: Field) -> None:
        """All of a tier: only so many of them are looked at as are needed."""
        scoring, least_context = self.scoring, self.screen.context_tokens
        if stage.by_cost:
            in_order = field.cheapest(
                scoring.input_tokens, scoring.output_tokens, least_context=least_context
            )
            self._try_in_order(stage, in_order)
            return
        ranking = scoring.ranked(field, least_context=least_context)
        circle: Sequence[Contender] = ()
        if stage.turn is not None:
            circle = _turned(list(islice(ranking, self.policy.max_steps)), stage.turn)
        self._try_in_order(stage, chain(circle, ranking), passed_over=ranking.pass_over)

    def _try_in_order(
        self,
        stage: Stage,
        contenders: Iterable[Contender],
        *,
        doubts: bool = False,
        passed_over: Callable[[Contender], None] = lambda _: None,
    ) -> None:
        of_provider: dict[str, int] = {}
        for one in contenders:
            if self.is_full:
                return
            taken = of_provider.get(one.model.provider, 0)
            if stage.most_of_one_provider and taken >= stage.most_of_one_provider:
                continue
            costs = self.costs(one)
            cap = stage.most_microusd if one.tier == "paid" else None
            within = [most for most in costs.worst if _is_within(most, cap)]
            if not self._is_within_cost(one, costs, cap) or not self._is_ready(one, within[-1]):
                passed_over(one)
                continue
            of_provider[one.model.provider] = taken + 1
            label = f"{stage.label}, though {self.screen.doubt(one)}" if doubts else stage.label
            score = self.scoring.score(one, stage.places)
            self.steps.append(Step(one.model, label, score, costs.expected, within[0], cap))
            self._stages.append(stage)

    def _ordered(self, contenders: Sequence[Contender], stage: Stage) -> Sequence[Contender]:
        if stage.in_order:
            return contenders
        if stage.by_cost:
            return sorted(contenders, key=self.cheapest_first)
        by_score = self.scoring.ordered(contenders, stage.places)
        if stage.turn is None or not contenders:
            return by_score
        # All that the operator lists take turns, or else the best.
        size = self.policy.max_steps
        circle = (
            sorted(contenders, key=stage.places.__getitem__) if stage.places else by_score[:size]
        )
        return [*_turned(circle, stage.turn), *by_score[len(circle) :]]

    def cheapest_first(self, one: Contender) -> tuple[bool, bool, float, str]:
        """Free, then by the expected cost; unknown prices last."""
        cost = self.scoring.expected_microusd(one)
        return one.tier == "paid", not one.has_price, cost, one.model.id

    def _is_ready(self, one: Contender, worst: int | None) -> bool:
        if not self._has_room(one):
            return False
        condition = self._conditions(one.model, worst)
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

    def _is_within_cost(self, one: Contender, costs: Costs, cap: int | None) -> bool:
        least = costs.worst[-1]
        if _is_within(least, cap):
            return True
        at_most = "an unknown sum" if least is None else dollars(least)
        reason = f"may cost {at_most}, more than max_cost {dollars(cap or 0)}"
        self.left_out.add(one, "max_cost", reason)
        return False

    def _has_room(self, one: Contender) -> bool:
        """For the words, too, that its prompting strategy adds."""
        more = self._extras(one.model).input_tokens
        needed = self.screen.context_tokens + more
        if not more or one.context_tokens >= needed:
            return True
        reason = f"holds {one.context_tokens:,.0f} tokens, and about {needed:,} are needed"
        self.left_out.add(one, "context", f"{reason} with its prompting strategy")
        return False

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
        cheapest = min(self.left_out.payable, key=self.scoring.expected_microusd, default=None)
        costs = None if cheapest is None else self.costs(cheapest)
        offer = (cheapest, costs.expected, costs.worst[0]) if cheapest and costs else None
        return refusal(
            self.left_out,
            asked=self.asked,
            policy=self.policy,
            shortages=self.shortages,
            cooling_seconds=self.cooling_seconds,
            offer=offer,
        )


def _turned(circle: Sequence[Contender], turn: int) -> Sequence[Contender]:
    start = turn % max(len(circle), 1)
    return [*circle[start:], *circle[:start]]


def _is_within(worst: int | None, cap: int | None) -> bool:
    return cap is None or (worst is not None and worst <= cap)


def _is_hopeful(one: Step, best: Step) -> bool:
    """Whether it may be better than the best, as far as is known, and costs no more."""
    cost, most = one.expected_microusd, best.expected_microusd
    is_no_dearer = cost is not None and most is not None and cost <= most
    return is_no_dearer and one.score.belief.hope > best.score.belief.quality

"""How good a choice each model is for one request: what its answer is worth, less what it costs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Self

from gateway.llm.belief import NO_BELIEFS, Belief, Beliefs
from gateway.llm.field import Field
from gateway.llm.lineup import SURE_CONTEXT_TOKENS, Contender
from gateway.llm.policy import Priority
from gateway.llm.task import Task

# What a good answer to a request of middle complexity is worth, in micro-dollars, and the seconds
# after which one is worth nothing any more. By simulated months: `python -m tests.load.month`.
WORTH_MICROUSD: Mapping[Priority, float] = {"cost": 3_000, "speed": 20_000, "quality": 300_000}
PATIENCE_SECONDS: Mapping[Priority, float] = {"cost": 600, "speed": 30, "quality": 1_200}
# A good answer to the most complex request is worth so many times one to the least complex.
WORTH_OF_COMPLEXITY = 3.0
# For the first of the operator's list, less for each further one.
LISTED_BONUS = 0.05
# What is believed of a model holds for requests of this demand; one of the highest has odds that
# are lower by e to the power of the slope times the difference.
USUAL_DEMAND, DEMAND_SLOPE = 0.4, 3.0


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast a model was of late; None where nothing was measured."""

    first_token_seconds: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """`total` is `quality`, less `cost` and `time`, and `bonus`; each in good answers.

    `quality` is how likely the answer is good enough, by `belief` and by what the request demands.
    `cost` and `time` are the shares of a good answer's worth that they take away; `bonus` is for
    suiting the task and for being listed.
    """

    total: float
    quality: float
    cost: float
    time: float
    bonus: float
    belief: Belief


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scores models for one request; `demand` is from 0 (any model will do) to 1 (few will)."""

    task: Task
    priority: Priority
    complexity: float
    demand: float
    input_tokens: float
    output_tokens: float
    measured: Mapping[str, Measured]
    beliefs: Beliefs = NO_BELIEFS

    @property
    def worth_microusd(self) -> float:
        """Of a good answer; a complex request's is worth more."""
        share = 2 * (1 + (WORTH_OF_COMPLEXITY - 1) * self.complexity) / (1 + WORTH_OF_COMPLEXITY)
        return share * WORTH_MICROUSD[self.priority]

    @property
    def patience_seconds(self) -> float:
        return PATIENCE_SECONDS[self.priority]

    @property
    def hardship(self) -> float:
        """What the odds against a good answer are multiplied by."""
        return math.exp(DEMAND_SLOPE * (self.demand - USUAL_DEMAND))

    def ordered(
        self, contenders: Sequence[Contender], places: Mapping[Contender, int]
    ) -> list[Contender]:
        """Best first; equal ones in the order in which they came."""
        totals = [(-self.score(one, places).total, at) for at, one in enumerate(contenders)]
        return [contenders[at] for _, at in sorted(totals)]

    def ranked(self, field: Field, *, least_context: float) -> "Ranking":
        """All of a field that hold so many tokens, best first."""
        return Ranking(self, field, least_context)

    def totals(self, field: Field, *, least_context: float) -> list[tuple[float, int]]:
        """Each the negative score and the place, of those that are not kept back."""
        worth, patience = self.worth_microusd, self.patience_seconds
        inputs, outputs, hardship = self.input_tokens, self.output_tokens, self.hardship
        # One flat loop over plain numbers: thousands of models are scored for each request.
        return [
            (
                (inputs * of_input + outputs * of_output + request) / worth
                + (first + outputs * each) / patience
                - 1 / (1 + odds * hardship)
                - bonus,
                place,
            )
            for place, context, of_input, of_output, request, first, each, odds, bonus in (
                field.rows(self.task)
            )
            if context >= least_context
        ]

    def score(self, one: Contender, places: Mapping[Contender, int]) -> Score:
        known = self.measured.get(one.model.id, Measured())
        first, each = one.first_seconds, one.seconds_per_token
        if known.first_token_seconds is not None:
            first = known.first_token_seconds
        if known.tokens_per_second:
            each = 1 / known.tokens_per_second
        cost = self.expected_microusd(one) / self.worth_microusd
        time = (first + self.output_tokens * each) / self.patience_seconds
        belief = self.belief(one)
        quality = 1 / (1 + belief.odds_against * self.hardship)
        bonus = one.bonus.get(self.task, 0.0)
        if places:
            bonus += LISTED_BONUS * (1 - places.get(one, len(places)) / len(places))
        return Score(quality - cost - time + bonus, quality, cost, time, bonus, belief)

    def belief(self, one: Contender) -> Belief:
        return self.beliefs.of(one.model.id, self.task, prior=one.quality)

    def expected_microusd(self, one: Contender) -> float:
        return one.expected_microusd(self.input_tokens, self.output_tokens)


class Ranking:
    """The models of a field, best first, each of them once; the first ones come quickly."""

    def __init__(self, scoring: Scoring, field: Field, least_context: float) -> None:
        self._scoring, self._field, self._least_context = scoring, field, least_context
        self._taken: set[int] = set()
        self._places: dict[Contender, int] = {}
        special = self._special()
        totals = scoring.totals(field, least_context=least_context)
        self._heap = [pair for pair in totals if pair[1] not in special] if special else totals
        heapify(self._heap)
        for place in special:
            self._bring((place, *field.behind.get(place, ())))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Contender:
        while self._heap:
            _, place = heappop(self._heap)
            if place not in self._taken:
                self._taken.add(place)
                one = self._field.contenders[place]
                self._places[one] = place
                return one
        raise StopIteration

    def pass_over(self, one: Contender) -> None:
        """It came, and cannot be had: those that it kept back come in."""
        self._bring(self._field.behind.get(self._places[one], ()))

    def _bring(self, places: Iterable[int]) -> None:
        for place in places:
            one = self._field.contenders[place]
            context = one.context_tokens if one.is_context_known else SURE_CONTEXT_TOKENS
            if place not in self._taken and context >= self._least_context:
                heappush(self._heap, (-self._scoring.score(one, {}).total, place))

    def _special(self) -> frozenset[int]:
        """The places of those of whom more is known than their facts, or whose price rises."""
        field, scoring = self._field, self._scoring
        known = (*scoring.measured, *scoring.beliefs.models)
        special = {place for model in known for place in field.places.get(model, ())}
        if scoring.input_tokens > field.dearer_above:
            special.update(field.dearer)
        return frozenset(special)

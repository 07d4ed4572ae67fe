"""How good a choice each model is for one request: cost, speed and quality, weighed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.llm.lineup import Contender
from gateway.llm.policy import Priority
from gateway.llm.task import Task

# What a priority weighs: cost, speed, quality.
WEIGHTS: Mapping[Priority, tuple[float, float, float]] = {
    "cost": (0.60, 0.10, 0.30),
    "speed": (0.15, 0.65, 0.20),
    "quality": (0.10, 0.05, 0.85),
}
# The most complex request moves this share of the weight of cost and speed to quality.
MOVED_BY_COMPLEXITY = 0.5
# A call of this cost, and an answer after this time, are worth half.
HALF_MICROUSD = 2_000
HALF_SECONDS = 10
# For the first of the operator's list, less for each further one.
LISTED_BONUS = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a model; None where nothing was. `quality` is from 0 to 1."""

    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """The parts are from 0 (bad) to 1 (good); `bonus` is for suiting the task and being listed."""

    total: float
    cost: float
    speed: float
    quality: float
    bonus: float


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scores models for one request."""

    task: Task
    priority: Priority
    complexity: float
    input_tokens: float
    output_tokens: float
    measured: Mapping[str, Measured]

    @property
    def weights(self) -> tuple[float, float, float]:
        cost, speed, quality = WEIGHTS[self.priority]
        moved = MOVED_BY_COMPLEXITY * self.complexity
        return cost * (1 - moved), speed * (1 - moved), quality + moved * (cost + speed)

    def ordered(
        self, contenders: Sequence[Contender], places: Mapping[Contender, int]
    ) -> list[Contender]:
        """Best first; equal ones in the order in which they came."""
        cost_weight, speed_weight, quality_weight = self.weights
        input_tokens, output_tokens, task = self.input_tokens, self.output_tokens, self.task
        measured = self.measured
        scored = []
        # One flat loop: thousands of models are scored for each request.
        for place, one in enumerate(contenders):
            if measured and one.model.id in measured:
                total = self.score(one, places).total
            else:
                microusd = (
                    one.expected_microusd(input_tokens, output_tokens)
                    if one.dearer
                    else input_tokens * one.input_rate
                    + output_tokens * one.output_rate
                    + one.request_rate
                )
                seconds = one.first_seconds + output_tokens * one.seconds_per_token
                total = (
                    cost_weight / (1 + microusd / HALF_MICROUSD)
                    + speed_weight / (1 + seconds / HALF_SECONDS)
                    + quality_weight * one.quality
                )
                if one.bonus:
                    total += one.bonus.get(task, 0.0)
                if places:
                    total += LISTED_BONUS * (1 - places.get(one, len(places)) / len(places))
            scored.append((-total, place))
        scored.sort()
        return [contenders[place] for _, place in scored]

    def score(self, one: Contender, places: Mapping[Contender, int]) -> Score:
        known = self.measured.get(one.model.id, Measured())
        first, each = one.first_seconds, one.seconds_per_token
        if known.first_token_seconds is not None:
            first = known.first_token_seconds
        if known.tokens_per_second:
            each = 1 / known.tokens_per_second
        cost = 1 / (1 + self.expected_microusd(one) / HALF_MICROUSD)
        speed = 1 / (1 + (first + self.output_tokens * each) / HALF_SECONDS)
        quality = one.quality if known.quality is None else known.quality
        bonus = one.bonus.get(self.task, 0.0)
        if places:
            bonus += LISTED_BONUS * (1 - places.get(one, len(places)) / len(places))
        weights = self.weights
        total = cost * weights[0] + speed * weights[1] + quality * weights[2] + bonus
        return Score(total, cost, speed, quality, bonus)

    def expected_microusd(self, one: Contender) -> float:
        return one.expected_microusd(self.input_tokens, self.output_tokens)

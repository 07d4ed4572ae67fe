"""Models that can serve one kind of request, laid out so that the best are found quickly.

Of a provider only so many are tried. A model that so many of the same provider beat in every
respect (price, speed, quality, size, and what it is made for) is not among these, whatever the
request is: it is kept back, and looked at only once one of those before it is passed over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heapify, heappop

from gateway.llm.lineup import SURE_CONTEXT_TOKENS, Contender
from gateway.llm.task import Task

# Steps of one provider in one stage of a route: the next ones help when that provider is down.
MOST_OF_ONE_PROVIDER = 3
# Place, context, the three rates, seconds before the first token and for each, odds, bonus.
Row = tuple[int, float, float, float, float, float, float, float, float]


class Field:
    """`places` are where models stand, by their IDs; `dearer` those whose price rises with size.

    `behind` leads from a place to those that are kept back by it among others.
    """

    def __init__(self, contenders: Sequence[Contender]) -> None:
        self.contenders = contenders
        places: dict[str, list[int]] = {}
        for place, one in enumerate(contenders):
            places.setdefault(one.model.id, []).append(place)
        self.places: Mapping[str, Sequence[int]] = places
        self.dearer = [place for place, one in enumerate(contenders) if one.dearer]
        thresholds = [one.dearer[0][0] for one in contenders if one.dearer]
        self.dearer_above: float = min(thresholds, default=float("inf"))
        self.behind = _behind(contenders)
        back = {place for those in self.behind.values() for place in those}
        self._front = [place for place in range(len(contenders)) if place not in back]
        self._rows: dict[Task, Sequence[Row]] = {}

    def rows(self, task: Task) -> Sequence[Row]:
        """Those that are not kept back."""
        if task not in self._rows:
            self._rows[task] = [_row(place, self.contenders[place], task) for place in self._front]
        return self._rows[task]

    def cheapest(
        self, input_tokens: float, output_tokens: float, *, least_context: float
    ) -> Iterator[Contender]:
        """All that hold so many tokens by what such a call costs; of unknown cost come last."""
        heap = [
            (input_tokens * of_input + output_tokens * of_output + request, rank, place)
            for rank, (place, context, of_input, of_output, request) in enumerate(self._prices)
            if context >= least_context
        ]
        if input_tokens > self.dearer_above:
            heap = [
                (self.contenders[place].expected_microusd(input_tokens, output_tokens), rank, place)
                if self.contenders[place].has_price and self.contenders[place].dearer
                else (cost, rank, place)
                for cost, rank, place in heap
            ]
        heapify(heap)
        while heap:
            yield self.contenders[heappop(heap)[-1]]

    @cached_property
    def _prices(self) -> Sequence[tuple[int, float, float, float, float]]:
        """Place, context and the three rates; of equal cost what is free, and then by its ID."""
        in_order = sorted(
            enumerate(self.contenders), key=lambda pair: (pair[1].tier == "paid", pair[1].model.id)
        )
        return [
            (
                place,
                one.context_tokens if one.is_context_known else SURE_CONTEXT_TOKENS,
                one.input_rate,
                one.output_rate,
                one.request_rate if one.has_price else float("inf"),
            )
            for place, one in in_order
        ]


def _row(place: int, one: Contender, task: Task) -> Row:
    return (
        place,
        one.context_tokens if one.is_context_known else SURE_CONTEXT_TOKENS,
        one.input_rate,
        one.output_rate,
        one.request_rate,
        one.first_seconds,
        one.seconds_per_token,
        one.odds_against,
        one.bonus.get(task, 0.0),
    )


def _behind(contenders: Sequence[Contender]) -> Mapping[int, Sequence[int]]:
    """Whom each model keeps back; contenders come with the best quality first."""
    of_provider: dict[str, list[int]] = {}
    for place, one in enumerate(contenders):
        of_provider.setdefault(one.model.provider, []).append(place)
    behind: dict[int, list[int]] = {}
    for places in of_provider.values():
        for place, before in _kept_back(contenders, places):
            for other in before:
                behind.setdefault(other, []).append(place)
    return behind


def _kept_back(
    contenders: Sequence[Contender], places: Iterable[int]
) -> Iterable[tuple[int, Sequence[int]]]:
    """Each that enough others beat in every respect, with these."""
    front: list[tuple[int, tuple[float, ...], Mapping[Task, float]]] = []
    for place in places:
        one = contenders[place]
        least, most = _demands(one)
        before: list[int] = []
        a, b, c, d, e, f, g = least
        for other, (u, v, w, x, y, z, q), bonus in front:
            # Written out: this runs tens of thousands of times for each catalog.
            if (
                u <= a
                and v <= b
                and w <= c
                and x <= d
                and y <= e
                and z <= f
                and q <= g
                and (not one.bonus or bonus == one.bonus)
            ):
                before.append(other)
                if len(before) == MOST_OF_ONE_PROVIDER:
                    yield place, before
                    break
        else:
            front.append((place, most, one.bonus))


def _demands(one: Contender) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What it takes at the least and at the most: money, time, and room that it does not have."""
    rest = (
        one.first_seconds,
        one.seconds_per_token,
        -(one.context_tokens if one.is_context_known else SURE_CONTEXT_TOKENS),
        one.odds_against,
    )
    tiers = [
        (one.input_rate, one.output_rate, one.request_rate),
        *(rates for _, *rates in one.dearer),
    ]
    columns = list(zip(*tiers, strict=True))
    return (*map(min, columns), *rest), (*map(max, columns), *rest)

"""A field ranks its models as one by one would, whatever is known and whoever is passed over."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evidence.observation import Observation
from gateway.evidence.sums import summed
from gateway.llm.belief import Beliefs
from gateway.llm.field import MOST_OF_ONE_PROVIDER, Field
from gateway.llm.lineup import Contender, Lineup
from gateway.llm.scoring import Measured, Scoring
from tests.llm.lineups import model

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PRICES = st.sampled_from([(0.1, 0.5), (0.5, 0.1), (1, 4), (3, 15), (3, 30)])
IDS = [f"{provider}/m{number}" for provider in "ab" for number in range(16)]


@st.composite
def contenders(draw: st.DrawFn) -> list[Contender]:
    ids = draw(st.lists(st.sampled_from(IDS), min_size=8, unique=True))
    sizes = st.sampled_from([None, 4_000, 200_000])
    return list(
        Lineup(model(one, draw(PRICES), context_tokens=draw(sizes)) for one in ids).contenders
    )


@st.composite
def scorings(draw: st.DrawFn) -> Scoring:
    some = st.lists(st.sampled_from(IDS), max_size=4, unique=True)
    seen = [
        (Observation(one, "coding", "benchmark", draw(st.floats(0, 1)), 9, "benchmark:b", NOW), 9)
        for one in draw(some)
    ]
    return Scoring(
        draw(st.sampled_from(["coding", "quick"])),
        draw(st.sampled_from(["cost", "speed", "quality"])),
        draw(st.floats(0, 1)),
        draw(st.floats(0, 1)),
        draw(st.sampled_from([10, 5_000])),
        draw(st.sampled_from([50, 4_000])),
        {one: Measured(draw(st.floats(0.1, 9)), draw(st.floats(1, 300))) for one in draw(some)},
        Beliefs(summed(seen, NOW)),
    )


@given(contenders(), scorings(), st.frozensets(st.sampled_from(IDS)))
@settings(max_examples=150, deadline=None)
def test_the_best_of_each_provider_come_in_their_order(
    models: list[Contender], scoring: Scoring, refused: frozenset[str]
) -> None:
    ranking = scoring.ranked(Field(models), least_context=0)
    ranked: list[Contender] = []
    for one in ranking:
        if one.model.id in refused:
            ranking.pass_over(one)
        elif _count(ranked, one) < MOST_OF_ONE_PROVIDER:
            ranked.append(one)
    plain: list[Contender] = []
    for one in scoring.ordered(models, {}):
        if one.model.id not in refused and _count(plain, one) < MOST_OF_ONE_PROVIDER:
            plain.append(one)
    assert [round(scoring.score(one, {}).total, 9) for one in ranked] == [
        round(scoring.score(one, {}).total, 9) for one in plain
    ]


def _count(taken: list[Contender], one: Contender) -> int:
    return sum(other.model.provider == one.model.provider for other in taken)


def test_models_that_are_too_small_are_not_ranked() -> None:
    lineup = Lineup([model("a/small", (1, 1), context_tokens=4_000), model("a/big", (1, 1))])
    scoring = Scoring("coding", "cost", 0.5, 0.5, 5_000, 100, {})
    ranked = scoring.ranked(Field(lineup.contenders), least_context=6_000)
    assert [one.model.id for one in ranked] == ["a/big"]

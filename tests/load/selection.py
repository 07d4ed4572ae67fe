"""How long one choice takes among 50, 700 and 2,000 models: p50 and p99 in milliseconds.

uv run python -m tests.load.selection
"""

import random
import time
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from gateway.llm.features import Features, Needs
from gateway.llm.lineup import Lineup
from gateway.llm.model import Model, Price, Rates
from gateway.llm.policy import Policy
from gateway.llm.router import choose
from gateway.llm.walk import Condition

SIZES = (50, 700, 2_000)
ROUNDS = 1_000
NEWEST = date(2026, 11, 1)
READY = Condition()
REQUESTS = {
    "auto, never paid": ("auto", Policy()),
    "auto, may pay": ("auto", Policy(may_pay=True)),
    "auto:best": ("auto:best", Policy(may_pay=True)),
    "a named model": ("provider-1/model-1", Policy()),
}
console = Console(width=100)


def models(count: int) -> Sequence[Model]:
    """Half are included in a subscription; the rest has prices as they are spread in catalogs."""
    draw = random.Random(count)
    return [
        Model(
            f"provider-{number % 8}/model-{number}",
            f"provider-{number % 8}",
            f"model-{number}",
            f"Model {number}",
            context_tokens=draw.choice([8_192, 128_000, 1_000_000]),
            has_tools=draw.random() < 0.6,
            has_structured_output=draw.choice([None, True, False]),
            has_reasoning=draw.random() < 0.4,
            price=_price(draw),
            is_included=number % 2 == 0,
            released=NEWEST - timedelta(days=draw.randrange(900)),
        )
        for number in range(count)
    ]


def _price(draw: random.Random) -> Price:
    rate = Decimal(str(round(10 ** draw.uniform(-1.5, 1), 3)))
    return Price(Rates(rate, rate * 4), "benchmark", NEWEST)


def main() -> None:
    table = Table("models", "built", *REQUESTS, title="one choice: p50 / p99 ms")
    for size in SIZES:
        start = time.perf_counter()
        lineup = Lineup(models(size))
        built = f"{(time.perf_counter() - start) * 1000:.0f} ms"
        cells = [measured(lineup, *request) for request in REQUESTS.values()]
        table.add_row(str(size), built, *cells)
    console.print(table)


def measured(lineup: Lineup, wanted: str, policy: Policy) -> str:
    times = []
    for number in range(ROUNDS):
        features = Features(
            wanted=wanted,
            task="coding",
            complexity=number / ROUNDS,
            input_tokens=1_000 + number,
            most_input_tokens=4_000,
            needs=Needs(tools=True, context_tokens=2_000),
        )
        start = time.perf_counter()
        choose(features, lineup, policy, conditions=lambda _model, _worst: READY)
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    return f"{times[ROUNDS // 2]:.2f} / {times[int(ROUNDS * 0.99)]:.2f}"


if __name__ == "__main__":
    main()

"""A world to route in for a month: models that differ in what no catalog tells, and what is asked.

A model answers well with a probability that grows with its ability at the task and falls with the
difficulty of the request. Abilities follow prices only in part, some of them change, providers are
away for hours, and one price rises: whoever routes finds that out, or does not.
"""

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import gateway.learning
from gateway.errors import GatewayError, RateLimited, Unavailable
from gateway.llm.features import Features, features, telling_text
from gateway.llm.messages import ChatRequest, Message, Text, Usage
from gateway.llm.model import Model, Price, PriceTier, Rates
from gateway.llm.provider.health import Unreachable
from gateway.llm.strength import needed_strength

START, DAYS = datetime(2026, 11, 1, tzinfo=UTC), 30
PROMPTS = Path(gateway.learning.__file__).parent / "prompts"
# By task: how often it is asked, how hard it is, the usual characters that come with the question,
# and the usual tokens of an answer.
ASKED_FOR: Mapping[str, tuple[float, float, int, int]] = {
    "coding": (0.30, 0.4, 3_000, 600),
    "general": (0.18, -0.3, 500, 350),
    "quick": (0.20, -1.0, 200, 90),
    "research": (0.12, 0.3, 1_500, 700),
    "creative": (0.08, 0.0, 400, 800),
    "complex": (0.07, 0.9, 800, 900),
    "long_context": (0.05, 0.5, 80_000, 600),
}
MOST_DOCUMENT_CHARACTERS = 400_000
# Of each hour of a day, how much is asked in it; and on a weekend, how much of that.
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 13, 10, 13, 14, 13, 12, 10, 8, 8, 8, 6, 4, 2)
WEEKEND_SHARE = 0.35
# What the nature of a request leaves to chance, and what models differ by that nothing tells.
DIFFICULTY_SPREAD, ABILITY_SPREAD = 0.9, 0.25
BUSY_SHARE, FAULT_SHARE = 0.05, 0.01
BUSY_SECONDS, OUTAGE_SECONDS = 30.0, 8.0
WORSE_DAY, BETTER_DAY, DEARER_DAY = 12, 14, 15


@dataclass(frozen=True, slots=True)
class Hidden:
    """What nobody tells of a model: its ability, pace and wordiness; `later` is from a day on."""

    ability: float
    tokens_per_second: float
    first_seconds: float
    wordiness: float
    of_task: Mapping[str, float]
    later: tuple[int, float] = (DAYS, 0.0)

    def at(self, task: str, moment: datetime) -> float:
        day, change = self.later
        changed = change if moment >= START + timedelta(days=day) else 0.0
        return self.ability + self.of_task.get(task, 0.0) + changed


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its hidden task and difficulty, and the tokens of a usual answer to it.

    `text` is what the user wrote last, `characters` all that is sent.
    """

    number: int
    at: datetime
    task: str
    difficulty: float
    output_tokens: int
    text: str
    characters: int
    features: Features


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a call: an answer, good or not, or an error; and the time it took."""

    is_good: bool
    seconds: float
    first_seconds: float
    usage: Usage
    error: GatewayError | None = None


@dataclass(frozen=True, slots=True)
class World:
    """`outages` are by provider; `repriced` are the `models` as they are listed later."""

    models: Sequence[Model]
    repriced: Sequence[Model]
    hidden: Mapping[str, Hidden]
    outages: Mapping[str, Sequence[tuple[datetime, datetime]]]
    seed: int

    def listed(self, moment: datetime) -> Sequence[Model]:
        is_later = moment >= START + timedelta(days=DEARER_DAY)
        return self.repriced if is_later else self.models

    def chance(self, model_id: str, asked: Asked) -> float:
        """How likely the answer of a model is good."""
        ability = self.hidden[model_id].at(asked.task, asked.at)
        return 1 / (1 + math.exp(asked.difficulty - ability))

    def reply(self, model: Model, asked: Asked) -> Reply:
        """The same whoever calls: policies differ by what they choose, not by luck."""
        dice = random.Random(f"{self.seed}:{asked.number}:{model.id}")
        hidden = self.hidden[model.id]
        first_seconds = hidden.first_seconds * dice.lognormvariate(0, 0.3)
        written = max(
            round(asked.output_tokens * hidden.wordiness * dice.lognormvariate(0, 0.2)), 5
        )
        usage = Usage(asked.features.input_tokens, min(written, model.max_output_tokens or written))
        seconds = first_seconds + usage.output_tokens / hidden.tokens_per_second
        is_good = dice.random() < self.chance(model.id, asked)
        luck = dice.random()
        if any(start <= asked.at < end for start, end in self.outages.get(model.provider, ())):
            return _failed(
                Unreachable(f"{model.provider} is away", retry_after_seconds=5), OUTAGE_SECONDS
            )
        if luck < BUSY_SHARE and model.tier == "free" and not model.is_local:
            busy = RateLimited(f"{model.id} is busy", retry_after_seconds=BUSY_SECONDS)
            return _failed(busy, 0.5)
        if luck > 1 - FAULT_SHARE:
            return _failed(
                Unavailable(f"{model.id} broke off", retry_after_seconds=1), first_seconds
            )
        return Reply(is_good, seconds, first_seconds, usage)


def world(number: int = 0, *, seed: int = 1) -> World:
    """World 0 has what it has by this table; others differ in who is good at what, and when."""
    dice = random.Random(f"world {number}")
    star, gap = "coding", "coding"
    if number:
        star, gap = dice.sample(["coding", "research", "general", "creative"], 2)
    spread = ABILITY_SPREAD * (2 if number else 1)
    special: Mapping[str, Mapping[str, float]] = {
        "bazaar/finch": {star: 1.6},
        "bazaar/kestrel-coder": {"coding": 0.9},
        "bazaar/pelican": {"long_context": 0.9},
        "apex/osprey": {gap: -1.9},
    }
    later = {"nimbus/jay": (WORSE_DAY, -1.4), "bazaar/heron": (BETTER_DAY, 1.0)}
    models, hidden = [], {}
    for model, ability, tokens_per_second, first_seconds, wordiness in _catalog():
        of_task = {
            task: special.get(model.id, {}).get(task, 0.0) + dice.gauss(0, spread)
            for task in ASKED_FOR
        }
        models.append(model)
        hidden[model.id] = Hidden(
            ability + (dice.gauss(0, spread) if number else 0.0),
            tokens_per_second,
            first_seconds,
            wordiness,
            of_task,
            later.get(model.id, (DAYS, 0.0)),
        )
    repriced = [_dearer(one) if one.id == "nimbus/raven" else one for one in models]
    return World(models, repriced, hidden, _outages(dice), seed)


def requests(count: int, *, seed: int) -> Sequence[Asked]:
    """A month of them in order of time, with texts that people could have written."""
    dice = random.Random(f"requests {seed}")
    texts = prompts()
    pasted = "\n".join(text for those in texts.values() for text in those)
    weights = [share for share, *_ in ASKED_FOR.values()]
    return [
        _asked(number, at, dice.choices(list(ASKED_FOR), weights)[0], texts, pasted, dice)
        for number, at in enumerate(_moments(count, dice))
    ]


def prompts() -> Mapping[str, Sequence[str]]:
    """By label."""
    by_label: dict[str, list[str]] = {}
    for file in sorted(PROMPTS.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            by_label.setdefault(row["label"], []).append(row["prompt"])
    return by_label


def difficulty(task: str, text: str, dice: random.Random) -> float:
    longer = 0.35 * math.log(max(len(text), 10) / 150)
    return ASKED_FOR[task][1] + max(-0.7, min(0.7, longer)) + dice.gauss(0, DIFFICULTY_SPREAD)


def _asked(
    number: int,
    at: datetime,
    task: str,
    texts: Mapping[str, Sequence[str]],
    pasted: str,
    dice: random.Random,
) -> Asked:
    is_long = task == "long_context"
    text = dice.choice(texts[dice.choice(["research", "general"]) if is_long else task])
    _, _, usual_characters, usual_tokens = ASKED_FOR[task]
    size = min(round(usual_characters * dice.lognormvariate(0, 0.8)), MOST_DOCUMENT_CHARACTERS)
    document = _piece(pasted, dice.randrange(len(pasted)), size)
    messages: tuple[Message, ...]
    if is_long:
        messages = (Message("user", (Text(f"{text}\n\n{document}"),)),)
    else:
        messages = (Message("system", (Text(document),)), Message("user", (Text(text),)))
    return Asked(
        number,
        at,
        task,
        difficulty(task, text, dice),
        round(usual_tokens * dice.lognormvariate(0, 0.6)) + 5,
        text,
        len(text) + len(document),
        seen(ChatRequest("auto", messages)),
    )


def seen(chat: ChatRequest) -> Features:
    """What the gateway reads in a request."""
    read = features(chat)
    if read.strength is not None:
        return read
    return replace(read, strength=needed_strength(telling_text(chat.messages)).score)


def _piece(text: str, start: int, size: int) -> str:
    times = (start + size) // len(text) + 1
    return (text * times)[start : start + size]


def _moments(count: int, dice: random.Random) -> list[datetime]:
    hours = [START + timedelta(hours=hour) for hour in range(24 * DAYS)]
    weights = [HOURS[hour.hour] * (WEEKEND_SHARE if hour.weekday() >= 5 else 1.0) for hour in hours]
    drawn = dice.choices(hours, cum_weights=list(accumulate(weights)), k=count)
    return sorted(hour + timedelta(seconds=dice.random() * 3600) for hour in drawn)


def _outages(dice: random.Random) -> Mapping[str, Sequence[tuple[datetime, datetime]]]:
    """Some hours in a month each, in the daytime; the one at home is off more often."""
    times = {"home": 4, "commons": 3, "bazaar": 2, "nimbus": 2, "apex": 2}
    return {name: [_outage(dice) for _ in range(count)] for name, count in times.items()}


def _outage(dice: random.Random) -> tuple[datetime, datetime]:
    start = START + timedelta(days=dice.randrange(DAYS), hours=dice.uniform(6, 18))
    return start, start + timedelta(hours=dice.uniform(1, 5))


def _failed(error: GatewayError, seconds: float) -> Reply:
    return Reply(False, seconds, seconds, Usage(), error)


def _catalog() -> Iterable[tuple[Model, float, float, float, float]]:
    """Each with its ability, its tokens a second, seconds to the first one, and wordiness."""
    ancient, old, new = date(2025, 8, 1), date(2026, 2, 1), date(2026, 9, 1)
    yield _model("home/wren-8b", None, 16_000, old, is_local=True), 0.2, 30, 0.8, 0.9
    yield _model("commons/robin-27b", (0, 0), 64_000, old), 0.9, 55, 0.9, 1.0
    yield _model("bazaar/plover:free", (0, 0), 64_000, old), 1.1, 40, 1.5, 1.1
    yield _model("nimbus/sparrow", (0.10, 0.40), 128_000, new), 0.8, 150, 0.5, 0.8
    yield _model("bazaar/finch", (0.20, 0.80), 128_000, old), 0.7, 90, 0.8, 1.0
    yield _model("bazaar/kestrel-coder", (0.40, 1.60), 128_000, ancient), 0.5, 80, 0.8, 1.0
    pelican = _model("bazaar/pelican", (0.30, 1.20), 1_000_000, old)
    yield _tiered(pelican, above_tokens=32_000), 0.9, 90, 1.0, 1.0
    yield _model("nimbus/jay", (0.60, 2.40), 200_000, new), 1.7, 100, 0.7, 0.9
    yield _model("bazaar/heron", (0.80, 3.20), 200_000, ancient), 1.2, 70, 0.9, 1.1
    yield _model("nimbus/raven", (2, 8), 200_000, old), 2.0, 70, 1.0, 1.0
    yield _model("apex/osprey", (4, 20), 200_000, new, has_reasoning=True), 2.5, 60, 3.0, 1.3
    yield _model("apex/condor", (8, 40), 400_000, new, has_reasoning=True), 2.8, 50, 4.0, 1.4


def _model(
    model_id: str,
    usd: tuple[float, float] | None,
    context_tokens: int,
    released: date,
    **facts: Any,
) -> Model:
    provider, _, name = model_id.partition("/")
    known: dict[str, Any] = {"has_reasoning": False, **facts}
    return Model(
        model_id,
        provider,
        name,
        name,
        context_tokens=context_tokens,
        max_output_tokens=4_096,
        has_tools=True,
        has_structured_output=True,
        price=None if usd is None else Price(_rates(*usd), "list", START.date()),
        released=released,
        **known,
    )


def _rates(input_usd: float, output_usd: float) -> Rates:
    return Rates(Decimal(str(input_usd)), Decimal(str(output_usd)))


def _tiered(model: Model, *, above_tokens: int) -> Model:
    assert model.price is not None
    double = PriceTier(above_tokens, _times(model.price.rates, 2))
    return replace(model, price=replace(model.price, tiers=(double,)))


def _dearer(model: Model) -> Model:
    assert model.price is not None
    return replace(model, price=replace(model.price, rates=_times(model.price.rates, 2)))


def _times(rates: Rates, factor: int) -> Rates:
    assert rates.input is not None
    assert rates.output is not None
    return Rates(rates.input * factor, rates.output * factor)

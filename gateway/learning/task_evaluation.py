"""How well tasks are told from texts: on unseen rows, unseen sources and what people type."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from time import thread_time

from gateway.learning.pasted import PLACES, around, pool, referring
from gateway.learning.task_edits import EDITS
from gateway.learning.task_rows import (
    Prompt,
    development_prompts,
    held_out_prompts,
    own_prompts,
    reading_of,
    rows_of,
)
from gateway.learning.task_training import trained
from gateway.llm.learned.asking_signs import Place
from gateway.llm.learned.reading import Reading
from gateway.llm.learned.weights import LEARNED_TASKS, Weights, shipped
from gateway.llm.task import TASKS, classify, is_long_text
from gateway.llm.tokens import estimated_tokens

FOLDS = 5
TIMED_CHARACTERS, TIMED_TEXTS = 4_000, 400
# A page to a booklet of pasted text around a question.
LEAST_PASTED, MOST_PASTED = 2_000, 40_000
LONG_BY_RULE_CHARACTERS = 5_000
KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "coding": ("code", "function", "program", "debug", "script"),
    "research": ("research", "study", "analyze", "investigate"),
    "creative": ("write", "story", "poem", "creative"),
    "complex": ("solve", "prove", "calculate", "explain"),
    "quick": ("what is", "who", "when", "define"),
}

Teller = Callable[[str], str]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Score:
    """Recalls are means over the tasks of the rows, so that each task counts the same.

    `lenient_recall` takes every accepted task as right. `confusion` counts rows by what they are
    and what was said.
    """

    rows: int
    accuracy: float
    recall: float
    lenient_recall: float
    by_task: Mapping[str, float]
    confusion: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to tell tasks.

    `unseen_rows` are other rows of sources that were learned from, `unseen_sources` were told by
    a model that saw no row of theirs; None where only the shipped model was scored. `held_out`
    are prompts as people type them, and `around` the same with long text that nothing learned
    from before, behind or on both sides of them; `about` are questions that say nothing without
    what is pasted. Of both it is scored what is asked, before the length of the text is counted.
    `flip_rate` is the share of small edits that change the task.
    """

    name: str
    unseen_rows: Score | None
    unseen_sources: Score | None
    held_out: Score
    by_language: Mapping[str, Score]
    around: Mapping[Place, Score]
    about: Score
    flip_rate: float
    p50_ms: float
    p99_ms: float


def evaluate(
    data: Path | None, *, sliced: int | None = None, progress: Progress = lambda _: None
) -> Sequence[Contender]:
    """The learned classifier, keyword rules and chance.

    `sliced` scores the shipped model on so many held out prompts, in a second. Without it, and
    with the development data in `data`, each fold is learned anew, in some minutes.

    Raises:
        FileNotFoundError: `data` does not hold the development data.
        InvalidRequest: what learning needs is not installed.
    """
    held_out = _spread(held_out_prompts(), sliced)
    ways = (
        _Way("learned", teller(shipped()), asked_teller(shipped())),
        _Way("keyword rules", by_keywords, keyword_of),
        _Way("chance", by_chance, by_chance),
    )
    if sliced is not None or data is None:
        return [_contender(way, held_out, (None, None), sliced) for way in ways]
    development = development_prompts(data)
    scores: dict[str, Sequence[Score]] = {
        way.name: [score(development, [way.tell(one.text) for one in development])] * 2
        for way in ways
        if way.name != "learned"
    }
    folds = (rows_apart(development), sources_apart(development))
    scores["learned"] = [score(development, told(development, one, progress)) for one in folds]
    return [_contender(way, held_out, scores[way.name], sliced) for way in ways]


def score(prompts: Sequence[Prompt], said: Sequence[str]) -> Score:
    confusion = Counter((one.label, task) for one, task in zip(prompts, said, strict=True))
    rows = Counter(one.label for one in prompts)
    lenient = Counter(
        one.label for one, task in zip(prompts, said, strict=True) if task in one.accept
    )
    by_task: dict[str, float] = {
        task: confusion[task, task] / rows[task] for task in TASKS if rows[task]
    }
    return Score(
        len(prompts),
        sum(confusion[task, task] for task in rows) / len(prompts),
        sum(by_task.values()) / len(by_task),
        sum(lenient[task] / rows[task] for task in by_task) / len(by_task),
        by_task,
        dict(confusion),
    )


def told(
    development: Sequence[Prompt], folds: Sequence[set[int]], progress: Progress
) -> Sequence[str]:
    """What models say of the rows of each fold that learned from all other rows."""
    own, said = own_prompts(), dict[int, str]()
    for number, fold in enumerate(folds, start=1):
        progress(f"fold {number} of {len(folds)}")
        known = [one for at, one in enumerate(development) if at not in fold]
        tell = teller(trained(rows_of([*known, *own], with_edits=False)))
        said.update({at: tell(development[at].text) for at in fold})
    return [said[at] for at in range(len(development))]


def rows_apart(prompts: Sequence[Prompt]) -> Sequence[set[int]]:
    places = list(range(len(prompts)))
    Random(0).shuffle(places)
    return [set(places[first::FOLDS]) for first in range(FOLDS)]


def sources_apart(prompts: Sequence[Prompt]) -> Sequence[set[int]]:
    """A fold for each source; two halves of one source are one."""
    folds: dict[str, set[int]] = defaultdict(set)
    for at, one in enumerate(prompts):
        folds[one.source].add(at)
    return list(folds.values())


def teller(weights: Weights) -> Teller:
    def tell(text: str) -> str:
        reading = reading_of(text)
        task = _likeliest(weights, reading)
        is_long = is_long_text(estimated_tokens(text), reading, task=task)
        return "long_context" if is_long else task

    return tell


def asked_teller(weights: Weights) -> Teller:
    """Of a long text, the task of what is asked of it."""

    def tell(text: str) -> str:
        return _likeliest(weights, reading_of(text))

    return tell


def _likeliest(weights: Weights, reading: Reading) -> str:
    scores = weights.scores(reading)
    return LEARNED_TASKS[max(range(len(scores)), key=scores.__getitem__)]


def by_keywords(text: str) -> str:
    return "long_context" if len(text) > LONG_BY_RULE_CHARACTERS else keyword_of(text)


def keyword_of(text: str) -> str:
    plain = text.lower()
    return next(
        (task for task, words in KEYWORDS.items() if any(word in plain for word in words)),
        "general",
    )


def by_chance(text: str) -> str:
    return Random(text).choice(TASKS)


def around_long_text(
    prompts: Sequence[Prompt], *, everywhere: bool = True
) -> Mapping[Place, Sequence[Prompt]]:
    """Each prompt in each place of a long text, or else in one of them."""
    return {
        place: [
            replace(one, text=_in_long_text(one.text, place, number))
            for number, one in enumerate(prompts)
            if everywhere or PLACES[number % len(PLACES)] == place
        ]
        for place in PLACES
    }


def _in_long_text(asked: str, place: Place, number: int) -> str:
    chance, texts = Random(f"{number} {place}"), pool("held_out")
    one = around(asked, texts, place=place, chance=chance, least=LEAST_PASTED, most=MOST_PASTED)
    return one.text


def about_pasted_text() -> Sequence[Prompt]:
    return [
        Prompt(text, task, frozenset((task,)), "pasted")
        for text, task in referring("held_out", least=LEAST_PASTED)
    ]


def flip_rate(tell: Teller, prompts: Sequence[Prompt]) -> float:
    """The share of small edits, each kind of every prompt, that change what is told."""
    flips = [
        tell(edit(one.text, Random(f"{number} {name}"))) != tell(one.text)
        for number, one in enumerate(prompts)
        for name, edit in EDITS.items()
    ]
    return sum(flips) / len(flips)


def milliseconds(tell: Callable[[str], object], prompts: Sequence[Prompt]) -> tuple[float, float]:
    """The median and the 99th percentile of processor time for texts of 4,000 characters.

    Each is read for the first time: a prompt, then others as if they were pasted behind it.
    """
    words: dict[str, list[str]] = defaultdict(list)
    for one in prompts:
        words[one.language] += one.text.split(" ")
    times = []
    for number in range(TIMED_TEXTS):
        asked = prompts[number % len(prompts)]
        pasted = Random(number).choices(words[asked.language], k=TIMED_CHARACTERS // 4)
        text = f"{asked.text}\n\n{' '.join(pasted)}"[:TIMED_CHARACTERS]
        start = thread_time()
        tell(text)
        times.append((thread_time() - start) * 1_000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


@dataclass(frozen=True, slots=True)
class _Way:
    """`tell` says the task of a text, `asked` that of what is asked in it, however long it is."""

    name: str
    tell: Teller
    asked: Teller


def _contender(
    way: _Way, held_out: Sequence[Prompt], apart: Sequence[Score | None], sliced: int | None
) -> Contender:
    by_language: dict[str, list[Prompt]] = defaultdict(list)
    for one in held_out:
        by_language[one.language].append(one)
    timed: Callable[[str], object] = classify if way.name == "learned" else way.tell
    unseen_rows, unseen_sources = apart
    p50_ms, p99_ms = milliseconds(timed, held_out)
    pasted = around_long_text(held_out, everywhere=sliced is None)
    return Contender(
        way.name,
        unseen_rows,
        unseen_sources,
        _told_score(way.tell, held_out),
        {one: _told_score(way.tell, prompts) for one, prompts in sorted(by_language.items())},
        {place: _told_score(way.asked, prompts) for place, prompts in pasted.items()},
        _told_score(way.asked, about_pasted_text()),
        flip_rate(way.tell, held_out),
        p50_ms,
        p99_ms,
    )


def _told_score(tell: Teller, prompts: Sequence[Prompt]) -> Score:
    return score(prompts, [tell(one.text) for one in prompts])


def _spread(prompts: Sequence[Prompt], sliced: int | None) -> Sequence[Prompt]:
    """So many, evenly from all."""
    if sliced is None or sliced >= len(prompts):
        return prompts
    return [prompts[at * len(prompts) // sliced] for at in range(sliced)]

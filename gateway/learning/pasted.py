"""Prompts with long text around them, as people paste it: behind, before and on both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp, log
from random import Random
from typing import Any, Literal

import yaml

from gateway.llm.learned.asking_signs import Place

# Of `pasted.yaml`: what is learned from, or what that is measured by.
Half = Literal["learned", "held_out"]
Pool = Mapping[str, Sequence[str]]
PLACES: tuple[Place, ...] = ("head", "tail", "middle")
# How a question is set off from what is pasted: mostly by an empty line.
_JOINTS = (*["\n\n"] * 7, "\n", "\n", "\n\n---\n\n", " ")
FENCED_SHARE = 0.15
# Each question about what is pasted beside it is asked of so many texts.
TEXTS_OF_ONE = 4
LEAST_CHARACTERS, MOST_CHARACTERS = 700, 4_000


@dataclass(frozen=True, slots=True)
class Around:
    """`text` holds `asked` at `place`, and pasted text around it."""

    text: str
    asked: str
    place: Place


def around(
    asked: str,
    pool: Pool,
    *,
    place: Place,
    chance: Random,
    least: int = LEAST_CHARACTERS,
    most: int = MOST_CHARACTERS,
) -> Around:
    """From `least` to `most` characters of the pool, at some place of its texts."""
    asked, size = asked.strip(), round(exp(chance.uniform(log(least), log(most))))
    pasted = _excerpt(pool[chance.choice(sorted(pool))], size, chance)
    if place == "middle":
        half = pasted.find("\n", round(len(pasted) * chance.uniform(0.2, 0.8)))
        half = len(pasted) // 2 if half < 0 else half
        on_both_sides = pasted[:half].strip("\n"), asked, pasted[half:].strip("\n")
        return Around("\n\n".join(on_both_sides).strip(), asked, place)
    if chance.random() < FENCED_SHARE:
        pasted = f"```\n{pasted}\n```"
    parts = (asked, pasted) if place == "head" else (pasted, asked)
    return Around(chance.choice(_JOINTS).join(parts).strip(), asked, place)


def pool(half: Half) -> Pool:
    """Texts to paste, by their kind."""
    texts: Pool = _shipped()[half]
    return texts


def referring(half: Half, *, least: int = LEAST_CHARACTERS) -> Sequence[tuple[str, str]]:
    """Questions that say nothing without what is pasted beside them, and the task of each."""
    return [
        (_about(asked, _beside(half, kind), number, least), group["task"])
        for kind, groups in _shipped()["referring"][half].items()
        for group in groups
        for asked in group["asked"]
        for number in range(TEXTS_OF_ONE)
    ]


def _about(asked: str, texts: Pool, number: int, least: int) -> str:
    place, chance = PLACES[number % 2], Random(f"{asked} {number}")
    return around(asked, texts, place=place, chance=chance, least=least).text


def _beside(half: Half, kind: str) -> Pool:
    kinds = _shipped()["referring"]["beside"][kind]
    return {name: texts for name, texts in pool(half).items() if name in kinds}


def _excerpt(texts: Sequence[str], size: int, chance: Random) -> str:
    """Whole lines of about so many characters, of one text or of as many as it takes."""
    found, length = list[str](), 0
    while length < 1.5 * size:
        found.append(chance.choice(texts).strip("\n"))
        length += len(found[-1])
    text = "\n\n".join(found)
    start = text.find("\n", chance.randrange(max(len(text) - size, 1))) + 1
    end = text.find("\n", start + size)
    return text[start : end if end > 0 else len(text)].strip("\n")


@cache
def _shipped() -> Mapping[str, Any]:
    texts: Mapping[str, Any] = yaml.safe_load(
        (files(__package__) / "pasted.yaml").read_text("utf-8")
    )
    return texts

"""The labelled prompts of prompts.toml and prompts_held_out.toml, as the classifier sees them."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

TUNED, HELD_OUT = "prompts.toml", "prompts_held_out.toml"
# About four characters are a token.
FILLERS = {
    "prose": (
        "The committee met again in the spring and heard from the residents of the valley. ",
        "Most of them had lived there for decades, and few were willing to leave before winter. ",
        "The chair noted that the figures of the previous year had not been confirmed. ",
        "Under section nine either side may end the agreement with ninety days of notice. ",
    ),
    "log": (
        "2026-11-20T10:01:02Z INFO api request=7f3a path=/orders status=200 ms=18\n",
        "2026-11-20T10:01:03Z WARN db pool=main waiting=4 ms=312\n",
        "2026-11-20T10:01:03Z ERROR api request=7f3b path=/pay status=504 ms=30001\n",
    ),
    "code": (
        "def load(path):\n    with open(path) as file:\n        return json.load(file)\n\n",
        "class Store:\n    def __init__(self):\n        self._rows = {}\n\n",
        "    def get(self, key, default=None):\n        return self._rows.get(key, default)\n\n",
    ),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    task: str
    band: str


def prompts(name: str) -> list[Prompt]:
    tables = tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))
    long = tables.pop("long")
    short = [
        Prompt(text, task, band)
        for task, bands in tables.items()
        for band, texts in bands.items()
        for text in texts
    ]
    return short + [Prompt(_filled(row), row["task"], row["band"]) for row in long]


def _filled(row: dict[str, str | int]) -> str:
    text = "".join(_filler(str(row["filler"]), int(row["tokens"]) * 4))
    return f"{row['ask']}\n\n{text}"


def _filler(kind: str, characters: int) -> Iterator[str]:
    lines = FILLERS[kind]
    average = sum(map(len, lines)) / len(lines)
    return islice(cycle(lines), round(characters / average))

"""What a caller asks for by a model's name: a route of our choosing, or one model."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import InvalidRequest
from gateway.llm.model import Tier
from gateway.llm.policy import Priority
from gateway.llm.task import TASKS, Task
from gateway.text import shown

PRIORITIES: Mapping[str, Priority] = {
    "cheap": "cost",
    "cost": "cost",
    "fast": "speed",
    "speed": "speed",
    "best": "quality",
    "quality": "quality",
}
MOST_ALIASES = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """`name` is the one model that is asked for; None leaves the choice to the router."""

    name: str | None = None
    task: Task | None = None
    priority: Priority | None = None
    tier: Tier | None = None


def read_wanted(text: str, aliases: Mapping[str, str]) -> Wanted:
    """Read `auto`, `auto:coding`, `auto:cheap`, `auto:free`, `auto:coding:best`, or a name.

    Aliases may lead to aliases, in a few steps.

    Raises:
        InvalidRequest: for an unknown word after `auto:`, or aliases that go in a circle.
    """
    named = _unaliased(text.strip(), aliases)
    head, *words = named.lower().split(":")
    if head not in {"", "auto"}:
        return Wanted(name=named)
    task: Task | None = None
    priority: Priority | None = None
    tier: Tier | None = None
    for word in words:
        if word in TASKS:
            task = TASKS[TASKS.index(word)]
        elif word in PRIORITIES:
            priority = PRIORITIES[word]
        elif word == "free":
            tier = "free"
        else:
            raise InvalidRequest(
                f"{shown(text)!r} is not an automatic route; after `auto:` comes a task "
                f"({', '.join(TASKS)}), `cheap`, `fast`, `best` or `free`"
            )
    return Wanted(task=task, priority=priority, tier=tier)


def _unaliased(text: str, aliases: Mapping[str, str]) -> str:
    name = text
    for _ in range(MOST_ALIASES):
        if name not in aliases:
            return name
        name = aliases[name]
    raise InvalidRequest(f"the alias {shown(text)!r} leads to {MOST_ALIASES} more: {name!r}, …")

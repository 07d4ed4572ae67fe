"""A suggestion: a call of a tool that an agent proposes, until a person accepts or dismisses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

SuggestionStatus = Literal["open", "accepting", "accepted", "failed", "dismissed"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`reason` says why, `evidence` what it rests on, such as lines of a file.

    Without a `tool` it is advice alone: accepting it means that it was taken. `outcome` is what
    the tool answered, or why it failed; `note` what the person said.
    """

    id: str
    run_id: str
    agent: str
    created: datetime
    title: str
    reason: str
    evidence: Sequence[str] = ()
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    status: SuggestionStatus = "open"
    decided_by: str | None = None
    decided: datetime | None = None
    note: str = ""
    outcome: str | None = None

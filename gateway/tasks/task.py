"""A task: something that a person or an agent wants done, and what may be said of it."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar, cast, get_args

from gateway.caller import AGENT_PREFIX, Caller
from gateway.clock import rfc3339
from gateway.errors import InvalidRequest
from gateway.text import displayable, shown

Status = Literal["open", "in_progress", "done", "cancelled"]
Priority = Literal["low", "medium", "high", "critical"]
STATUSES: tuple[Status, ...] = get_args(Status)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
UNFINISHED: tuple[Status, ...] = ("open", "in_progress")
TASK_TOOLS = ("create_task", "list_tasks", "update_task_status")

MOST_TITLE, MOST_DESCRIPTION, MOST_NOTE, MOST_NAME, MOST_REPOSITORY = 200, 10_000, 2_000, 100, 300
MOST_LABELS = 20
_CLIPPED = 300  # of a description, in a list
# Quotes, commas and backslashes would need care wherever labels are listed.
_LABEL = re.compile(r"\w[\w .:/+#@-]{0,39}")
_COMMIT = re.compile(r"[0-9a-f]{4,64}")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")

Chosen = TypeVar("Chosen", bound=str)


def is_told(who: Caller) -> bool:
    """Whether agents hear of a task of this caller, and so may spend for it.

    That is for owners, for agents, and for a key whose tools name `create_task` itself.
    """
    return who.is_owner or who.name.startswith(AGENT_PREFIX) or TASK_TOOLS[0] in who.tools


@dataclass(frozen=True, slots=True)
class Draft:
    """A task that is to be created, as `drafted` has checked it."""

    title: str
    description: str
    priority: Priority
    assignee: str | None
    labels: tuple[str, ...]
    repository: str | None
    commit: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Who gave a task another status, when, and why; `occasion` is the key of the call."""

    time: datetime
    by: str
    before: Status
    after: Status
    note: str = ""
    occasion: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """`created_by` is a caller's name, such as `agent:review`; `run_id` is the agent's run.

    `changes` are the latest ones of its status, oldest first.
    """

    id: str
    title: str
    description: str
    status: Status
    priority: Priority
    created: datetime
    updated: datetime
    created_by: str
    assignee: str | None = None
    run_id: str | None = None
    repository: str | None = None
    commit: str | None = None
    labels: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def note(self) -> str:
        """What was last said of it."""
        return next((one.note for one in reversed(self.changes) if one.note), "")

    def as_json(self, url: str, *, is_listed: bool = False) -> dict[str, Any]:
        """As APIs and models are told of it; in a list with the beginning of its description."""
        description = self.description
        if is_listed and len(description) > _CLIPPED:
            description = f"{description[:_CLIPPED]}…"
        return {
            "id": self.id,
            "title": self.title,
            "description": description,
            "status": self.status,
            "priority": self.priority,
            "assignee": self.assignee,
            "labels": list(self.labels),
            "repository": self.repository,
            "commit": self.commit,
            "created_by": self.created_by,
            "run_id": self.run_id,
            "created": rfc3339(self.created),
            "updated": rfc3339(self.updated),
            "note": self.note,
            "url": url,
        }


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks are wanted; what is left out is any.

    `created_by` may end with `*`, as `agent:*` does. A commit is named by the beginning of its
    hash. `since` and `until` are when it was created.
    """

    statuses: Collection[Status] = ()
    priorities: Collection[Priority] = ()
    created_by: str | None = None
    assignee: str | None = None
    label: str | None = None
    commit: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """`is_new` is false where a call under the same key had created it already."""

    task: Task
    is_new: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A task, and its status `before` the call."""

    task: Task
    before: Status


@dataclass(frozen=True, slots=True)
class Listing:
    """The latest of the tasks that were asked for, and how many there are in all."""

    tasks: Sequence[Task]
    total: int


def drafted(
    title: str,
    description: str = "",
    *,
    priority: str = "medium",
    assignee: str | None = None,
    labels: Sequence[str] = (),
    repository: str | None = None,
    commit: str | None = None,
) -> Draft:
    """
    Raises:
        InvalidRequest: names what is wrong, with its value, and what would be right.
    """
    line = _line("title", title, most=MOST_TITLE)
    if not line:
        raise InvalidRequest("title is empty; it takes a few words that say what is to be done")
    return Draft(
        title=line,
        description=text_of("description", description, most=MOST_DESCRIPTION),
        priority=one_of("priority", priority, PRIORITIES),
        assignee=_line("assignee", assignee or "", most=MOST_NAME) or None,
        labels=_labels(labels),
        repository=_repository(repository),
        commit=commit_of(commit) if commit else None,
    )


def one_of(name: str, value: str, allowed: Sequence[Chosen]) -> Chosen:
    """
    Raises:
        InvalidRequest: the value is none of those that are allowed.
    """
    if value not in allowed:
        raise InvalidRequest(f"{name} is {shown(value)!r}; it takes {', '.join(allowed)}")
    return cast(Chosen, value)


def commit_of(text: str) -> str:
    """A commit's hash, or the beginning of one, in small letters.

    Raises:
        InvalidRequest: it is none.
    """
    commit = text.strip().lower()
    if not _COMMIT.fullmatch(commit):
        raise InvalidRequest(
            f"commit is {shown(text)!r}; it takes a hash of 4 to 64 digits and letters a to f, "
            "such as abc1234"
        )
    return commit


def text_of(name: str, text: str, *, most: int) -> str:
    """The text as it may be kept and shown, in as many lines as it has.

    Raises:
        InvalidRequest: it is too long.
    """
    clean = displayable(text).strip()
    if len(clean) > most:
        raise InvalidRequest(f"{name} has {len(clean):,} characters; it takes at most {most:,}")
    return clean


def _line(name: str, text: str, *, most: int) -> str:
    return text_of(name, " ".join(text.split()), most=most)


def _labels(labels: Sequence[str]) -> tuple[str, ...]:
    settled = tuple(dict.fromkeys(_line("label", one, most=MOST_NAME).lower() for one in labels))
    if len(settled) > MOST_LABELS:
        raise InvalidRequest(f"labels has {len(settled)} of them; it takes at most {MOST_LABELS}")
    for one in settled:
        if not _LABEL.fullmatch(one):
            raise InvalidRequest(
                f"labels has {shown(one)!r}; a label takes 1 to 40 letters, digits, blanks and "
                "any of _ . : / + # @ -, such as security"
            )
    return settled


def _repository(name: str | None) -> str | None:
    """Its name, path or URL, without the credentials that a URL may hold."""
    line = _line("repository", name or "", most=MOST_REPOSITORY)
    return _CREDENTIALS.sub("", line) or None

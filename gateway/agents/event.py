"""An event: something happened that agents may answer; it is stored before any of them hears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.clock import rfc3339

GIT = "git"


@dataclass(frozen=True, slots=True)
class News:
    """An event that is to be stored.

    `source` says where it comes from, such as `github`, `git`, `files`, `schedule`, `gateway`,
    `api` or `agent:review`; `subject` what it is about, in a few words. Of two with one `delivery`
    from one source only the first is an event. `chain` are the agents whose runs led to it, the
    last of which is `cause`. `only` names the one agent that is asked; all others do not hear it.
    """

    topic: str
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = "api"
    subject: str = ""
    delivery: str | None = None
    chain: tuple[str, ...] = ()
    cause: str | None = None
    by: str = ""
    only: str | None = None

    @property
    def depth(self) -> int:
        """How many runs of agents led to it."""
        return len(self.chain)


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event; `position` rises in the order in which events were stored."""

    id: str
    position: int
    time: datetime
    news: News

    @property
    def topic(self) -> str:
        return self.news.topic

    @property
    def occasion(self) -> str:
        """What agents answer once: of all events of one commit, the first that they hear."""
        commit, repository = (self.news.data.get(name) for name in ("commit", "repository"))
        if self.news.source == GIT and commit and repository:
            return f"{repository}@{commit}"
        return self.id

    def as_json(self) -> Mapping[str, Any]:
        """As APIs and models are told of it."""
        news = self.news
        return {
            "id": self.id,
            "topic": news.topic,
            "time": rfc3339(self.time),
            "source": news.source,
            "subject": news.subject,
            "data": news.data,
            "depth": news.depth,
            "caused_by_run": news.cause,
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """An event, and whether it is new: a delivery that came before is the event of then."""

    event: Event
    is_new: bool

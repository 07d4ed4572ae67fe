"""What a question asks of the task list: which status, from whom, for which commit, since when."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.caller import AGENT_PREFIX
from gateway.errors import InvalidRequest
from gateway.sources.wording import Cue
from gateway.tasks.task import UNFINISHED, Filter, Priority, Status
from gateway.usage.span import Span, span

if TYPE_CHECKING:
    from gateway.sources.router_question import RouterQuestion

_STATUSES: dict[str, tuple[Status, ...]] = {
    "task_open": UNFINISHED,
    "task_doing": ("in_progress",),
    "task_done": ("done",),
    "task_cancelled": ("cancelled",),
}
_PRIORITIES: dict[str, tuple[Priority, ...]] = {
    "task_critical": ("critical",),
    "task_high": ("high", "critical"),
}
_SIGNS = (
    *_STATUSES, *_PRIORITIES, "task_made", "task_agent", "task_commit", "task_for", "task_label",
)  # fmt: skip
_MEANINGS = ("task_word", *_SIGNS, "task_about", "task_beside")
# More of them, and the question is about something else.
_MOST_SOUGHT = 3
_ID = re.compile(r"[0-9a-f]{8}")
_HASH = re.compile(r"(?=.*[0-9])[0-9a-f]{6,64}")
_HASH_BEHIND_ITS_WORD = re.compile(r"[0-9a-f]{4,64}")


def asks_for_tasks(question: "RouterQuestion") -> bool:
    return question.cues.has("task_word") and TaskQuestion(question).is_about_tasks


class TaskQuestion:
    """Words that say nothing of this are what the tasks are to be about."""

    def __init__(self, question: "RouterQuestion") -> None:
        self._question = question
        self._words = question.words
        self._cues = question.cues

    @property
    def is_about_tasks(self) -> bool:
        if not self.sought:
            return True
        return len(self.sought) <= _MOST_SOUGHT and self._has_sign

    def filter(self, now: datetime) -> Filter:
        asked = self._span(now)
        return Filter(
            statuses=self._statuses,
            priorities=self._priorities,
            created_by=self._creator,
            assignee=self._word_at(self._assignee),
            label=self._word_at(self._label),
            commit=self._word_at(self._commit),
            since=asked.start if asked else None,
            until=asked.end if asked else None,
        )

    @cached_property
    def task_id(self) -> str | None:
        """The one task that it names."""
        places = self._id_places
        return f"task_{self._word_at(max(places))}" if places else None

    @cached_property
    def sought(self) -> tuple[str, ...]:
        """Words that the tasks are to hold, folded."""
        named = {self._assignee, self._label, self._commit, *self._agent_name, *self._id_places}
        return tuple(self._words[place].text for place in sorted(self._strangers - named))

    @property
    def places(self) -> frozenset[int]:
        """The words that ask for tasks, whatever they say of them."""
        named = {self._assignee, self._label, self._commit, *self._agent_name, *self._id_places}
        places = self._cues.places(*_MEANINGS) | self._question.window_places | named
        return frozenset(place for place in places | self._strangers if place is not None)

    @property
    def _has_sign(self) -> bool:
        if self._cues.has(*_SIGNS) or self._question.windows or self._commit is not None:
            return True
        ends = {cue.end for cue in self._cues.of("task_word")}
        return not ends.isdisjoint(self._cues.places("task_about"))

    @cached_property
    def _strangers(self) -> frozenset[int]:
        return self._question.strangers(*_MEANINGS)

    @property
    def _statuses(self) -> tuple[Status, ...]:
        cues = self._cues
        unfinished = cues.places("task_open")
        found = [
            meaning
            for meaning in _STATUSES
            # "Not done" is not done.
            if meaning == "task_open" or cues.places(meaning) - unfinished
        ]
        asked = [one for one in found if cues.has(one) and not self._is_verb(one)]
        return tuple(dict.fromkeys(status for one in asked for status in _STATUSES[one]))

    def _is_verb(self, meaning: str) -> bool:
        """Whether it is what somebody did: "which tasks did the agents open"."""
        before = {word.text for word in self._words[: min(self._cues.places(meaning))]}
        return meaning == "task_open" and "did" in before

    @property
    def _priorities(self) -> tuple[Priority, ...]:
        found = [level for meaning, level in _PRIORITIES.items() if self._cues.has(meaning)]
        return tuple(dict.fromkeys(priority for level in found for priority in level))

    @property
    def _creator(self) -> str | None:
        if not self._cues.has("task_agent"):
            return None
        words = (self._words[place].raw.lower() for place in self._agent_name)
        return f"{AGENT_PREFIX}{'-'.join(words) or '*'}"

    @cached_property
    def _agent_name(self) -> tuple[int, ...]:
        """`review` of "the review agent" and of `agent:review`, `code review` of `code-review`."""
        for cue in self._cues.of("task_agent"):
            if cue.start - 1 in self._strangers:
                start = cue.start - 1
                while start and self._words[start].is_glued:
                    start -= 1
                return tuple(range(start, cue.start))
            if cue.end in self._strangers:
                return tuple(self._glued(cue.end))
        return ()

    def _glued(self, start: int) -> Iterator[int]:
        yield start
        place = start + 1
        while place < len(self._words) and self._words[place].gap == "-":
            yield place
            place += 1

    @cached_property
    def _assignee(self) -> int | None:
        return self._behind("task_for")

    @cached_property
    def _label(self) -> int | None:
        return self._behind("task_label")

    def _behind(self, meaning: str) -> int | None:
        """The name that stands behind a word."""
        ends = (cue.end for cue in sorted(self._cues.of(meaning), key=_longest_first))
        return next((place for place in ends if place in self._strangers), None)

    @cached_property
    def _commit(self) -> int | None:
        behind = {cue.end for cue in self._cues.of("task_commit")}
        for place, word in enumerate(self._words):
            pattern = _HASH_BEHIND_ITS_WORD if place in behind else _HASH
            if place not in self._id_places and pattern.fullmatch(word.raw.lower()):
                return place
        return None

    @cached_property
    def _id_places(self) -> tuple[int, ...]:
        for place, word in enumerate(self._words):
            is_one = place and word.gap == "_" and self._words[place - 1].text == "task"
            if is_one and _ID.fullmatch(word.raw.lower()):
                return (place - 1, place)
        return ()

    def _word_at(self, place: int | None) -> str | None:
        return None if place is None else self._words[place].raw.lower()

    def _span(self, now: datetime) -> Span | None:
        try:
            return next((span(one.window, now) for one in self._question.windows), None)
        except InvalidRequest:
            # A day that no month has.
            return None


def _longest_first(cue: Cue) -> int:
    return cue.start - cue.end

"""What a question asks of agents: how they are, what they did, suggest or spent; or of events."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import chain
from typing import Literal

from gateway.agents.run import Status
from gateway.agents.suggestion import SuggestionStatus
from gateway.documents.query import fold_phrase, split
from gateway.errors import InvalidRequest
from gateway.shipped import shipped
from gateway.sources.router_question import RouterQuestion
from gateway.sources.wording import Cues, Wording
from gateway.usage.span import Span, span

Topic = Literal["agents", "agent spending", "runs", "suggestions", "events"]
_CORES = ("agent_word", "run_word", "event_word", "suggestion_word")
_STATUSES: Mapping[str, tuple[Status, ...]] = {
    # Whoever asks what failed wants to know of what a guard stopped, too.
    "failed": ("failed", "stopped"),
    "stopped": ("stopped",),
    "cancelled": ("cancelled",),
    "succeeded": ("done",),
    "running": ("running",),
    "waiting": ("waiting", "paused"),
}
_ENDED = ("failed", "stopped", "cancelled", "succeeded")
_DECISIONS: Mapping[str, tuple[SuggestionStatus, ...]] = {
    "undecided": ("open",),
    "accepted": ("accepted",),
    "dismissed": ("dismissed",),
}
_OF_AGENTS = (
    "agent_word", "run_word", "suggestion_word", "suggest_verb", "state", "found", "latest",
    "money", "beside", *_STATUSES, *_DECISIONS,
)  # fmt: skip
# Beside one of these, "the security agent" is an agent, which nobody has switched on.
_SIGNS = ("run_word", "state", "found", "latest", "money", *_STATUSES)
_OF_EVENTS = ("event_word", "event_topic", "agent_word", "run_word", "latest", "found", "beside")
# More of them, and the question is about something else.
_MOST_SOUGHT = 3
_MOST_STRANGERS = 3
_WHAT_IS_DONE = frozenset("doing working busy macht machen haciendo hace facendo fait".split())
_AND = frozenset("and or und oder y o et ou e".split())
_DAY = re.compile(r"20\d{6}")
_TIME = re.compile(r"\d{6}")
_END = re.compile(r"[0-9a-f]{4,20}")
_EVENT_ID, _SUGGESTION_ID = re.compile(r"[0-9a-f]{8,40}"), re.compile(r"[0-9a-f]{6,40}")


class AgentQuestion:
    """`names` are those of the agents that are on; `router` reads what is not of them."""

    def __init__(self, router: RouterQuestion, names: Sequence[str]) -> None:
        self._router = router
        self._words = router.words
        self._names = names
        self._cues: Cues = _wording().cues(router.words)

    @cached_property
    def topics(self) -> frozenset[Topic]:
        """What it is about; nothing, where it speaks of other things."""
        if not self._is_ours:
            return frozenset()
        if self.event_id or self._is_about_events:
            return frozenset({"events"})
        if self.run_id:
            return frozenset({"runs"})
        has, is_of_agents = self._cues.has, self._cues.has("agent_word") or bool(self.agents)
        if self.suggestion_id or has("suggestion_word") or has("suggest_verb"):
            return frozenset({"suggestions"})
        if has("money") and is_of_agents and not has("run_word", *_STATUSES):
            return frozenset({"agent spending"})
        if has("run_word"):
            return frozenset({"runs"})
        if self._asks_what_is_done or has("running", "waiting"):
            return frozenset({"agents", "runs"})
        came = self._cues.places("found", "latest", *_ENDED) - self._cues.places("state")
        return frozenset({"runs"}) if came else frozenset({"agents"})

    @cached_property
    def agents(self) -> tuple[str, ...]:
        """The agents that are named, in order; one that is not known as it is written."""
        known = [name for _, _, name in self._known]
        return tuple(dict.fromkeys(known)) or ((self._unknown,) if self._unknown else ())

    @cached_property
    def statuses(self) -> tuple[Status, ...]:
        found = [one for one in _STATUSES if self._cues.has(one) and not self._is_aside(one)]
        return tuple(dict.fromkeys(chain.from_iterable(_STATUSES[one] for one in found)))

    @property
    def decisions(self) -> tuple[SuggestionStatus, ...]:
        """Those that wait for one, unless it asks for others or for a time."""
        found = [one for one in _DECISIONS if self._cues.has(one)]
        usual: tuple[SuggestionStatus, ...] = () if self._router.windows else ("open",)
        return tuple(chain.from_iterable(_DECISIONS[one] for one in found)) or usual

    @property
    def is_latest_alone(self) -> bool:
        """Whether it asks for the last run there was, whoever ran and however it ended."""
        return self._cues.has("latest") and not (
            self.agents or self.statuses or self._router.windows
        )

    @property
    def asks_for_results(self) -> bool:
        return self._cues.has("found") and not self.statuses

    @cached_property
    def run_id(self) -> str | None:
        place = self._run_place
        if place is None:
            return None
        return "-".join(word.raw.lower() for word in self._words[place : place + 3])

    @cached_property
    def event_id(self) -> str | None:
        return self._id("evt", _EVENT_ID)

    @cached_property
    def suggestion_id(self) -> str | None:
        return self._id("sug", _SUGGESTION_ID)

    @cached_property
    def sought(self) -> tuple[str, ...]:
        """Words that the events are to hold, folded."""
        named = self._strangers | self._cues.places("event_topic")
        places = sorted(named - self._router.window_places)
        return tuple(dict.fromkeys(self._words[place].text for place in places))

    @property
    def places(self) -> frozenset[int]:
        """The words that ask, whatever they say."""
        everything = frozenset(range(len(self._words)))
        return everything - self._router.strangers() | self._told | self._strangers

    def span(self, now: datetime) -> Span | None:
        try:
            return next((span(one.window, now) for one in self._router.windows), None)
        except InvalidRequest:
            # A day that no month has.
            return None

    @property
    def is_unknown(self) -> bool:
        """Whether the agent that is named is none of those there are."""
        return self._unknown is not None and not self._known

    @cached_property
    def _is_ours(self) -> bool:
        if self.run_id or self.event_id or self.suggestion_id:
            return True
        is_of_suggestions = self._cues.has("suggest_verb") and bool(self._router.windows)
        if not (self._cues.has(*_CORES) or is_of_suggestions) or self._is_of_the_router:
            return False
        return self._is_about_events or self._is_about_agents

    @property
    def _is_of_the_router(self) -> bool:
        """The tasks of an agent are tasks, and runs of a benchmark are none of agents."""
        if self._cues.has("event_word"):
            return False
        # What agents spend, or may spend, is ours.
        of_money = self._cues.has("agent_word") and {"usage", "budget", "quota"}
        return bool(self._router.topics - (of_money or set()))

    @cached_property
    def _is_about_events(self) -> bool:
        cues = self._cues
        if not cues.has("event_word") or cues.has("suggestion_word"):
            return False
        if not self._strangers:
            return True
        ends = {cue.end for cue in cues.of("event_word")}
        is_said = not ends.isdisjoint(cues.places("about"))
        is_near = is_said or cues.has("event_topic", "latest") or bool(self._router.windows)
        return len(self._strangers) <= _MOST_SOUGHT and is_near

    @property
    def _is_about_agents(self) -> bool:
        if not self._strangers:
            # A run, or a proposal, without any more may be of anything.
            return True
        is_of_agents = bool(self._known) and self._cues.has("agent_word", "run_word")
        return is_of_agents and len(self._strangers) <= _MOST_STRANGERS

    @property
    def _asks_what_is_done(self) -> bool:
        return bool(_WHAT_IS_DONE.intersection(word.text for word in self._words))

    def _is_aside(self, meaning: str) -> bool:
        """Whether the words say how an agent is, or which suggestions are asked for."""
        if meaning == "waiting":
            return self._cues.has("suggestion_word")
        return meaning == "succeeded" and not self._cues.has("run_word")

    @cached_property
    def _strangers(self) -> frozenset[int]:
        meanings = _OF_EVENTS if self._cues.has("event_word") else _OF_AGENTS
        known = self._cues.places(*meanings) | self._told
        return self._router.strangers() - known - self._unknown_places

    @cached_property
    def _told(self) -> frozenset[int]:
        """The words that name an agent, or are an ID."""
        named = {place for start, end, _ in self._known for place in range(start, end)}
        run = self._run_place
        ids = set() if run is None else set(range(run, run + 3))
        for mark in ("evt", "sug"):
            ids |= self._id_places(mark)
        return frozenset(named | ids)

    @cached_property
    def _known(self) -> tuple[tuple[int, int, str], ...]:
        """Where agents are named; next to the word, as in "review and test agents", if any is."""
        found = [
            (start, start + len(parts), name)
            for name, parts in _spelt(tuple(self._names))
            for start in range(len(self._words) - len(parts) + 1)
            if all(self._words[start + at].text == part for at, part in enumerate(parts))
        ]
        found.sort()
        return self._beside_their_word(found) or (
            tuple(found) if self._cues.has("run_word", "suggestion_word") else ()
        )

    def _beside_their_word(
        self, found: Sequence[tuple[int, int, str]]
    ) -> tuple[tuple[int, int, str], ...]:
        words = self._cues.of("agent_word")
        starts, ends = {cue.start for cue in words}, {cue.end for cue in words}
        chosen: list[tuple[int, int, str]] = []
        for one in reversed(found):
            behind = one[1] + (one[1] < len(self._words) and self._words[one[1]].text in _AND)
            if one[1] in starts or behind in starts or one[0] in ends:
                chosen.append(one)
                # What stands before it in a list is one of them.
                starts.add(one[0])
        return tuple(reversed(chosen))

    @cached_property
    def _unknown_places(self) -> frozenset[int]:
        """The word before "agent" that names one of which nothing is known."""
        if self._known or not self._cues.has(*_SIGNS):
            return frozenset()
        known = self._cues.places(*_OF_AGENTS)
        strangers = self._router.strangers() - known
        for cue in self._cues.of("agent_word"):
            if cue.start - 1 in strangers and len(strangers) == 1:
                return frozenset({cue.start - 1})
        return frozenset()

    @property
    def _unknown(self) -> str | None:
        places = self._unknown_places
        return self._words[min(places)].raw.lower() if places else None

    @cached_property
    def _run_place(self) -> int | None:
        """Where an ID such as `20261120-083000-0a1b2c3d4e` begins."""
        for place in range(len(self._words) - 2):
            day, time, end = self._words[place : place + 3]
            is_one = (time.gap, end.gap) == ("-", "-") and _END.fullmatch(end.raw.lower())
            if is_one and _DAY.fullmatch(day.raw) and _TIME.fullmatch(time.raw):
                return place
        return None

    def _id(self, mark: str, pattern: re.Pattern[str]) -> str | None:
        places = self._id_places(mark)
        raw = self._words[max(places)].raw.lower() if places else ""
        return f"{mark}_{raw}" if pattern.fullmatch(raw) else None

    def _id_places(self, mark: str) -> frozenset[int]:
        for place, word in enumerate(self._words):
            if place and word.gap == "_" and self._words[place - 1].text == mark:
                return frozenset({place - 1, place})
        return frozenset()


@lru_cache(maxsize=1)
def _wording() -> Wording:
    declared: Mapping[str, str] = shipped(__package__, "wording.yaml")
    return Wording(
        {
            meaning: tuple(dict.fromkeys(fold_phrase(phrase) for phrase in row.split(",")))
            for meaning, row in declared.items()
        }
    )


@lru_cache(maxsize=8)
def _spelt(names: tuple[str, ...]) -> Sequence[tuple[str, tuple[str, ...]]]:
    """The folded words of each name: of `spend-watch` `spend` and `watch`; the longest first."""
    spelt = ((name, tuple(word.text for word in split(name))) for name in names)
    return sorted(spelt, key=lambda one: -len(one[1]))


def words_of(text: str) -> frozenset[str]:
    return frozenset(word.text for word in split(text))


def is_about(held: frozenset[str], sought: str) -> bool:
    """Whether the word is among them, in another form too: `scheduled` is of a `schedule`."""
    return any(_is_alike(one, sought) for one in held)


def _is_alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= 4 and long.startswith(short))

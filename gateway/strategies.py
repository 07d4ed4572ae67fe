"""How callers want their messages worded for a model, shared by all processes on one database."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from string import Formatter
from typing import NamedTuple, Self

from sqlalchemy import Connection, delete, insert, select, tuple_

from gateway.cancellation import ended
from gateway.clock import Clock, now
from gateway.errors import InvalidRequest, Refused
from gateway.storage.database import Database
from gateway.storage.refreshing import keep_refreshing
from gateway.storage.tables import microseconds
from gateway.storage.tables import prompting_strategies as kept

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
MOST_OF_A_CALLER = 200
MOST_CHARACTERS = 20_000
# Of all strategies of a caller: each process keeps those of all callers in memory.
MOST_CHARACTERS_OF_A_CALLER = 500_000
_READ_AT_ONCE = 200
PROMPT, SYSTEM, RESPONSE = "prompt", "system", "response"


@dataclass(frozen=True, slots=True)
class PromptingStrategy:
    """What is said around the messages of a conversation; empty templates change nothing.

    `system_prompt` goes before the caller's own. `user_template` holds `{prompt}` once, and may
    hold `{system}` once, which then takes the place of a system message. `assistant_template`
    goes before earlier answers, or around them where it holds `{response}` (or `{prompt}`).
    Without `use_chat_format` a conversation is sent as one message.

    Raises:
        InvalidRequest: a template cannot be filled in; says which, and what it takes.
    """

    system_prompt: str = ""
    user_template: str = ""
    assistant_template: str = ""
    use_chat_format: bool = True

    def __post_init__(self) -> None:
        for name in ("system_prompt", "user_template", "assistant_template"):
            _check_text(name, getattr(self, name))
        if self.user_template:
            read_template("user_template", self.user_template, needs=(PROMPT,), takes=(SYSTEM,))
        if self.assistant_template:
            places = read_template(
                "assistant_template", self.assistant_template, takes=(RESPONSE, PROMPT)
            )
            if len([one for _, one in places if one]) > 1:
                raise InvalidRequest("assistant_template: holds more than one of {response}")

    @property
    def is_empty(self) -> bool:
        return self == PromptingStrategy()

    @property
    def characters(self) -> int:
        return sum(map(len, (self.system_prompt, self.user_template, self.assistant_template)))


class _Kept(NamedTuple):
    """`strategy` is None where this gateway cannot read what a newer one wrote."""

    time: int
    strategy: PromptingStrategy | None


# By caller and model.
_Key = tuple[str, str]
_Known = Mapping[_Key, _Kept]


# Text, and the field behind it; None behind the last.
Places = list[tuple[str, str | None]]


def read_template(
    name: str, template: str, *, needs: tuple[str, ...] = (), takes: tuple[str, ...] = ()
) -> Places:
    """What stands in a template, doubled braces undone.

    Raises:
        InvalidRequest: names what is wrong with it.
    """
    fields = " and ".join(f"{{{one}}}" for one in (*needs, *takes))
    takes_what = f"it takes {fields}; write other braces twice, as {{{{ and }}}}"
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}; {takes_what}") from None
    found = [field for _, field, _, _ in parsed if field is not None]
    for _, field, spec, conversion in parsed:
        if field is not None and (field not in (*needs, *takes) or spec or conversion):
            raise InvalidRequest(f"{name}: {{{field[:40]}}} stands for nothing; {takes_what}")
    for field in (*needs, *takes):
        if found.count(field) > 1:
            raise InvalidRequest(f"{name}: {{{field}}} stands there more than once; {takes_what}")
    if missing := [one for one in needs if one not in found]:
        raise InvalidRequest(f"{name}: {{{missing[0]}}} is missing; {takes_what}")
    return [(literal, field) for literal, field, _, _ in parsed]


class Strategies:
    """Open for as long as requests may come; answers come from memory.

    `revision` is another object whenever something changed. What another process sets is seen
    within half a minute.
    """

    def __init__(
        self, database: Database, *, refresh_seconds: float = REFRESH_SECONDS, clock: Clock = now
    ) -> None:
        self.revision: object = object()
        self._database = database
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._known: _Known = {}
        # What was read before a change must not be remembered after it.
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.refresh()
        keeping = keep_refreshing(
            self.refresh, seconds=self._refresh_seconds, otherwise="prompting strategies may be old"
        )
        self._task = asyncio.create_task(keeping, name="prompting strategies")
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(self._task)

    def get(self, caller: str, model: str) -> PromptingStrategy | None:
        found = self._known.get((caller, model))
        return found.strategy if found else None

    def all(self, caller: str) -> Mapping[str, PromptingStrategy]:
        """By model ID."""
        return {
            model: one.strategy
            for (whose, model), one in self._known.items()
            if whose == caller and one.strategy is not None
        }

    async def set(self, caller: str, model: str, strategy: PromptingStrategy | None) -> None:
        """Keep it, and use it from now on; an empty one, or none, removes what there was.

        Raises:
            Refused: the caller has too many, or too long ones.
            Unavailable: the database does not answer, and nothing changed.
        """
        _check_text("model", model)
        kept_now = None if strategy is None or strategy.is_empty else strategy
        async with self._turn:
            if kept_now is not None:
                self._refuse_too_many(caller, model, kept_now)
            text = None if kept_now is None else json.dumps(asdict(kept_now), ensure_ascii=False)
            put = partial(_put, key=(caller, model), text=text, at=microseconds(self._clock()))
            time = await self._database.write(put)
            known = {key: one for key, one in self._known.items() if key != (caller, model)}
            if kept_now is not None:
                known[caller, model] = _Kept(time, kept_now)
            self._remember(known)

    async def refresh(self) -> None:
        """Learn what other processes changed."""
        async with self._turn:
            self._remember(await self._database.read(partial(_changed, known=self._known)))

    def _remember(self, known: _Known) -> None:
        if known != self._known:
            self._known = known
            self.revision = object()

    def _refuse_too_many(self, caller: str, model: str, strategy: PromptingStrategy) -> None:
        others = {name: one for name, one in self.all(caller).items() if name != model}
        if len(others) >= MOST_OF_A_CALLER:
            raise Refused(
                f"{caller!r} has prompting strategies for {len(others)} models already; "
                "remove one first"
            )
        characters = sum(one.characters for one in others.values())
        if characters + strategy.characters > MOST_CHARACTERS_OF_A_CALLER:
            raise Refused(
                f"the prompting strategies of {caller!r} for other models have {characters:,} "
                f"characters, and this one has {strategy.characters:,}; at most "
                f"{MOST_CHARACTERS_OF_A_CALLER:,} in all: remove or shorten one"
            )


def _check_text(name: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(f"{name}: has {len(text):,} characters; at most {MOST_CHARACTERS:,}")
    # PostgreSQL has no NUL in a text, and no database half a surrogate.
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidRequest(f"{name}: holds a character that cannot be kept (NUL or a surrogate)")


def _put(connection: Connection, *, key: _Key, text: str | None, at: int) -> int:
    """When it is kept as of: later than what it replaces, so that others see that it changed."""
    same = (kept.c.caller == key[0]) & (kept.c.model == key[1])
    before = connection.scalar(select(kept.c.time).where(same))
    connection.execute(delete(kept).where(same))
    time = at if before is None else max(at, before + 1)
    if text is not None:
        row = {"caller": key[0], "model": key[1], "strategy": text, "time": time}
        connection.execute(insert(kept), [row])
    return time


def _changed(connection: Connection, known: _Known) -> _Known:
    """What is kept now; only what is not known as of its time is read and understood."""
    found = connection.execute(select(kept.c.caller, kept.c.model, kept.c.time))
    times: dict[_Key, int] = {(row.caller, row.model): row.time for row in found}
    still = {key: one for key, one in known.items() if times.get(key) == one.time}
    return still | _read(connection, [key for key in times if key not in still])


def _read(connection: Connection, keys: Iterable[_Key]) -> dict[_Key, _Kept]:
    read: dict[_Key, _Kept] = {}
    left = iter(keys)
    while some := list(islice(left, _READ_AT_ONCE)):
        of_those = tuple_(kept.c.caller, kept.c.model).in_(some)
        for row in connection.execute(select(kept).where(of_those)):
            read[row.caller, row.model] = _Kept(row.time, _understood(row.model, row.strategy))
    return read


def _understood(model: str, text: str) -> PromptingStrategy | None:
    try:
        return PromptingStrategy(**json.loads(text))
    except (ValueError, TypeError, InvalidRequest) as error:
        # A newer gateway on the same database may keep more than this one can read.
        logger.warning("a strategy for model=%s is unreadable: %s", model, type(error).__name__)
        return None

"""How callers want their messages worded for a model, shared by all processes on one database."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from string import Formatter
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select

from gateway.clock import Clock, now
from gateway.errors import InvalidRequest, Refused, Unavailable
from gateway.storage.database import Database
from gateway.storage.tables import microseconds
from gateway.storage.tables import prompting_strategies as kept

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
MOST_OF_A_CALLER = 200
MOST_CHARACTERS = 20_000
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
        self._known: Mapping[tuple[str, str], PromptingStrategy] = {}

    async def __aenter__(self) -> Self:
        await self.refresh()
        self._task = asyncio.create_task(self._keep_up(), name="prompting strategies")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def get(self, caller: str, model: str) -> PromptingStrategy | None:
        return self._known.get((caller, model))

    def all(self, caller: str) -> Mapping[str, PromptingStrategy]:
        """By model ID."""
        return {model: one for (whose, model), one in self._known.items() if whose == caller}

    async def set(self, caller: str, model: str, strategy: PromptingStrategy | None) -> None:
        """Keep it, and use it from now on; an empty one, or none, removes what there was.

        Raises:
            Refused: the caller has too many.
            Unavailable: the database does not answer, and nothing changed.
        """
        row = None
        if strategy is not None and not strategy.is_empty:
            self._refuse_too_many(caller, model)
            row = {
                "caller": caller,
                "model": model,
                "strategy": json.dumps(asdict(strategy), ensure_ascii=False),
                "time": microseconds(self._clock()),
            }
        await self._database.write(lambda connection: _put(connection, caller, model, row=row))
        await self.refresh()

    async def refresh(self) -> None:
        """Learn what other processes changed."""
        found = await self._database.read(_all)
        if found != self._known:
            self._known = found
            self.revision = object()

    def _refuse_too_many(self, caller: str, model: str) -> None:
        others = self.all(caller).keys() - {model}
        if len(others) >= MOST_OF_A_CALLER:
            raise Refused(
                f"{caller!r} has prompting strategies for {len(others)} models already; "
                "remove one first"
            )

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds)
            try:
                await self.refresh()
            except Unavailable as error:
                logger.warning("prompting strategies may be old: %s", error)


def _check_text(name: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(f"{name}: has {len(text):,} characters; at most {MOST_CHARACTERS:,}")
    # PostgreSQL has no NUL in a text, and no database half a surrogate.
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidRequest(f"{name}: holds a character that cannot be kept (NUL or a surrogate)")


def _put(connection: Connection, caller: str, model: str, *, row: Mapping[str, Any] | None) -> None:
    connection.execute(delete(kept).where(kept.c.caller == caller, kept.c.model == model))
    if row is not None:
        connection.execute(insert(kept), [row])


def _all(connection: Connection) -> Mapping[tuple[str, str], PromptingStrategy]:
    known = {}
    for row in connection.execute(select(kept)):
        try:
            known[row.caller, row.model] = PromptingStrategy(**json.loads(row.strategy))
        except (ValueError, TypeError, InvalidRequest) as error:
            # A newer gateway on the same database may keep more than this one can read.
            logger.warning("a strategy for model=%s is unreadable: %s", row.model, type(error))
    return known

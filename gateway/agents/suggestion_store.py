"""Suggestions as they are kept: each accepted or dismissed once, whoever else would do it, too."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, false, select, update

from gateway.agents.storable import cut, one_line, storable, storable_json
from gateway.agents.suggestion import Suggestion, SuggestionStatus
from gateway.clock import Clock, now, rfc3339
from gateway.errors import InvalidRequest, NotFound, Refused
from gateway.storage.agent_tables import suggestions as kept
from gateway.storage.database import Database
from gateway.storage.statement import Statement
from gateway.storage.tables import microseconds, moment
from gateway.text import shown

# Models write them, and people read them.
MOST_TITLE_CHARACTERS = 200
MOST_REASON_CHARACTERS = 4_000
MOST_EVIDENCE = 20
MOST_EVIDENCE_CHARACTERS = 2_000
MOST_NOTE_CHARACTERS = 2_000
MOST_OUTCOME_CHARACTERS = 20_000
MOST_ARGUMENTS_BYTES = 256 * 1024
# The call is made under an idempotency key, so that a second process may make it again.
LEFT_AFTER = timedelta(seconds=60)
_NEAR_AMONG = 500

_ADD = Statement(lambda insert: insert(kept).on_conflict_do_nothing(index_elements=["occasion"]))
_OF_OCCASION = Statement(lambda _: select(*kept.c).where(kept.c.occasion == bindparam("occasion")))


class SuggestionStore:
    """Those of all agents. What models write is cut to a length that people can read."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def open(
        self,
        run_id: str,
        agent: str,
        *,
        occasion: str,
        title: str,
        reason: str,
        evidence: Sequence[str] = (),
        tool: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Suggestion:
        """The same occasion gives the same suggestion.

        Raises:
            InvalidRequest: it has no title, or its arguments are too long.
        """
        clean_title = one_line(title, MOST_TITLE_CHARACTERS)
        if not clean_title:
            raise InvalidRequest("title: is empty; it takes a line that says what to do")
        row = {
            "id": f"sug_{secrets.token_hex(6)}",
            "occasion": storable(occasion),
            "run_id": run_id,
            "agent": agent,
            "created": microseconds(self._clock()),
            "title": clean_title,
            "reason": cut(reason, MOST_REASON_CHARACTERS),
            "evidence": json.dumps(_cut_evidence(evidence)),
            "tool": tool,
            "arguments": storable_json(
                "arguments", arguments or {}, most_bytes=MOST_ARGUMENTS_BYTES
            ),
            "status": "open",
            "decided_by": None,
            "decided": None,
            "note": "",
            "outcome": None,
        }

        def work(connection: Connection) -> Suggestion:
            _ADD.run(connection, [row])
            (found,) = _OF_OCCASION.rows(connection, [row])
            return _suggestion(found)

        return await self._database.write(work)

    async def suggestion(self, suggestion_id: str) -> Suggestion:
        """Raises:
        NotFound: there is none; suggests those with an ID like it.
        """
        return await self._database.read(lambda connection: _one(connection, suggestion_id))

    async def listed(
        self,
        *,
        status: SuggestionStatus | None = None,
        agent: str | None = None,
        run_id: str | None = None,
        limit: int = 50,
    ) -> Sequence[Suggestion]:
        """The last one first."""
        wanted = {"status": status, "agent": agent, "run_id": run_id}
        of_those = [
            kept.c[name] == storable(value) for name, value in wanted.items() if value is not None
        ]
        latest = select(kept).where(*of_those).order_by(kept.c.position.desc()).limit(limit)
        return await self._database.read(
            lambda connection: [_suggestion(row) for row in connection.execute(latest)]
        )

    async def begin_accepting(self, suggestion_id: str, by: str, note: str = "") -> Suggestion:
        """From now on its call is made by whoever began, and by nobody else.

        One that failed can be accepted again, and so can one whose process has said nothing for
        a minute: its call is then made a second time under the same idempotency key.

        Raises:
            NotFound: there is no such suggestion.
            Refused: somebody else has decided; says who, what and when.
        """

        def work(connection: Connection) -> Suggestion:
            found = _one(connection, suggestion_id)
            if found.status not in ("open", "failed") and not self._is_left(found):
                raise _decided(found)
            return self._decide(connection, found, status="accepting", by=by, note=note)

        return await self._database.write(work)

    async def accepted(self, suggestion_id: str, outcome: str) -> Suggestion:
        """Its call was made, also if another process took it for lost or for failed."""
        return await self._end(suggestion_id, "accepted", outcome, of=("accepting", "failed"))

    async def failed(self, suggestion_id: str, outcome: str) -> Suggestion:
        """Its call failed, unless another process made it: then that one counts."""
        return await self._end(suggestion_id, "failed", outcome, of=("accepting",))

    async def dismiss(self, suggestion_id: str, by: str, note: str = "") -> Suggestion:
        """
        Raises:
            NotFound: there is no such suggestion.
            Refused: it was decided already, or its call is being made.
        """

        def work(connection: Connection) -> Suggestion:
            found = _one(connection, suggestion_id)
            if found.status not in ("open", "failed"):
                raise _decided(found)
            return self._decide(connection, found, status="dismissed", by=by, note=note)

        return await self._database.write(work)

    def _is_left(self, found: Suggestion) -> bool:
        return (
            found.status == "accepting"
            and found.decided is not None
            and self._clock() - found.decided >= LEFT_AFTER
        )

    def _decide(
        self, connection: Connection, found: Suggestion, *, status: str, by: str, note: str
    ) -> Suggestion:
        decision = {
            "status": status,
            "decided_by": storable(by),
            "decided": microseconds(self._clock()),
            "note": cut(note, MOST_NOTE_CHARACTERS),
        }
        connection.execute(update(kept).where(_is(found.id)).values(decision))
        return _one(connection, found.id)

    async def _end(
        self, suggestion_id: str, status: str, outcome: str, *, of: tuple[str, ...]
    ) -> Suggestion:
        ending = {"status": status, "outcome": cut(outcome, MOST_OUTCOME_CHARACTERS)}
        still = _is(suggestion_id) & kept.c.status.in_(of)

        def work(connection: Connection) -> Suggestion:
            connection.execute(update(kept).where(still).values(ending))
            return _one(connection, suggestion_id)

        return await self._database.write(work)


def _one(connection: Connection, suggestion_id: str) -> Suggestion:
    row = connection.execute(select(kept).where(_is(suggestion_id))).first()
    if row is not None:
        return _suggestion(row)
    latest = select(kept.c.id).order_by(kept.c.position.desc()).limit(_NEAR_AMONG)
    ids = connection.scalars(latest).all()
    near = get_close_matches(shown(suggestion_id), ids, n=3, cutoff=0.7)
    raise NotFound(
        f"there is no suggestion {shown(suggestion_id)!r}", what="suggestion", suggestions=near
    )


def _suggestion(row: Any) -> Suggestion:
    (_, id_, _, run_id, agent, created, title, reason, evidence, tool, arguments, *decision) = row
    status, decided_by, decided, note, outcome = decision
    return Suggestion(
        id=id_,
        run_id=run_id,
        agent=agent,
        created=moment(created),
        title=title,
        reason=reason,
        evidence=tuple(json.loads(evidence)),
        tool=tool,
        arguments=json.loads(arguments),
        status=status,
        decided_by=decided_by,
        decided=None if decided is None else moment(decided),
        note=note,
        outcome=outcome,
    )


def _decided(found: Suggestion) -> Refused:
    when = rfc3339(found.decided) if found.decided else "an unknown time"
    who = f"{found.decided_by} at {when}"
    if found.status == "accepting":
        return Refused(
            f"suggestion {found.id} is being accepted by {who}; if that ends in nothing, it can "
            f"be accepted again {LEFT_AFTER.seconds} s after it began"
        )
    return Refused(f"suggestion {found.id} was {found.status} by {who}")


def _cut_evidence(evidence: Sequence[str]) -> list[str]:
    return [cut(one, MOST_EVIDENCE_CHARACTERS) for one in evidence[:MOST_EVIDENCE]]


def _is(suggestion_id: str) -> ColumnElement[bool]:
    # All IDs are ASCII; and half a character cannot even be asked for.
    return kept.c.id == suggestion_id if suggestion_id.isascii() else false()

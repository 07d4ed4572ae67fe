"""The pieces of an answer as the items of a response, in the order in which they are told."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from gateway.llm.doors.responses.answer import (
    Envelope,
    failure,
    response_to_json,
    status_of,
)
from gateway.llm.doors.responses.open import (
    BREAK,
    Event,
    OpenCall,
    OpenMcpCall,
    OpenMessage,
    OpenThought,
    Place,
    Status,
)
from gateway.llm.doors.responses.request import Asked
from gateway.llm.doors.responses.tools import GivenTool
from gateway.llm.doors.seal import sealed
from gateway.llm.loop.offered import Offered
from gateway.llm.loop.piece import CallBegun, CallEnded, Piece
from gateway.llm.messages import Chunk, FinishReason, Json, Reasoning, ToolCallDelta


class AnswerStream:
    """Told each piece in turn, it gives the events that follow from it, numbered.

    `output` holds the items that are whole. A plain answer is a stream whose events nobody read.
    """

    def __init__(
        self,
        envelope: Envelope,
        asked: Asked,
        *,
        offered: Offered,
        approved: AbstractSet[str] = frozenset(),
    ) -> None:
        self.finish_reason: FinishReason | None = None
        self.envelope = envelope
        self._asked = asked
        self._offered = offered
        self._approved = approved
        self._number = 0
        self._count = 0
        self._whole: dict[int, dict[str, Any]] = {}
        self._open: OpenMessage | OpenThought | None = None
        self._open_at = 0
        self._calls: dict[int, _Call] = {}
        self._mcp: dict[str, tuple[int, OpenMcpCall]] = {}
        self._signs: dict[str, Json] = {}

    @property
    def output(self) -> list[dict[str, Any]]:
        return [self._whole[at] for at in sorted(self._whole)]

    def begin(self, listed: AbstractSet[str]) -> Iterator[Event]:
        """`listed` are the labels whose tools the client knows already."""
        for kind in ("response.created", "response.in_progress"):
            yield self._numbered({"type": kind, "response": response_to_json(self.envelope, [])})
        labels = dict.fromkeys(tool.label for tool in self._offered.tools)
        for label in labels:
            if label not in listed:
                yield from map(self._numbered, self._list_tools(label))

    def tell(self, piece: Piece) -> Iterator[Event]:
        match piece:
            case Chunk():
                events = self._say(piece)
            case CallBegun():
                events = self._begin_call(piece)
            case CallEnded():
                events = self._end_call(piece)
        yield from map(self._numbered, events)

    def end_items(self) -> Iterator[Event]:
        """Whatever was still open, once the last piece was told."""
        is_cut = status_of(self.finish_reason) == "incomplete"
        status: Status = "incomplete" if is_cut else "completed"
        yield from map(self._numbered, self._close(status))
        for call in self._calls.values():
            yield from map(self._numbered, self._give_back(call, status))
        if self._signs:
            yield from map(self._numbered, self._seal_calls())

    def response(self, **facts: Any) -> dict[str, Any]:
        """The whole of it, with what is known only now, such as its `usage`."""
        whole = response_to_json(
            self.envelope, self.output, finish_reason=self.finish_reason, is_over=True
        )
        return {**whole, **facts}

    def end(self, response: Mapping[str, Any]) -> Event:
        """The last event: its kind is the status of the response."""
        return self._numbered({"type": f"response.{response['status']}", "response": response})

    def fail(self, error: Mapping[str, Any]) -> Iterator[Event]:
        """The honest end of an answer that broke off; `error` is the inside of OpenAI's `error`."""
        told = failure(error)
        yield self._numbered({"type": "error", **told, "param": error.get("param")})
        response = response_to_json(self.envelope, self.output, error=error)
        yield self._numbered({"type": "response.failed", "response": response})

    def _numbered(self, event: Event) -> Event:
        numbered = {**event, "sequence_number": self._number}
        self._number += 1
        return numbered

    def _place(self, prefix: str) -> Place:
        place = Place(self._count, self.envelope.item_id(prefix, self._count))
        self._count += 1
        return place

    def _say(self, chunk: Chunk) -> Iterator[Event]:
        self.finish_reason = chunk.finish_reason or self.finish_reason
        for thought in chunk.reasoning:
            yield from self._think(thought)
        if chunk.text:
            yield from self._speak(chunk)
        if chunk.refusal:
            message, events = self._message()
            yield from events
            yield from message.refuse(chunk.refusal)
        yield from self._notes(chunk)
        for delta in chunk.tool_calls:
            yield from self._call(delta)

    def _speak(self, chunk: Chunk) -> Iterator[Event]:
        is_later = self._count and not isinstance(self._open, OpenMessage)
        text = chunk.text.removeprefix(BREAK) if is_later else chunk.text
        if not text:
            return
        message, events = self._message()
        yield from events
        yield from message.say(text, self._logprobs(chunk))

    def _logprobs(self, chunk: Chunk) -> Sequence[Any]:
        content = (chunk.logprobs or {}).get("content") if self._asked.has_logprobs else None
        return content if isinstance(content, list) else ()

    def _notes(self, chunk: Chunk) -> Iterator[Event]:
        """What a provider says about its text, beside the text."""
        phase, notes = chunk.extra.get("phase"), chunk.extra.get("annotations")
        if isinstance(phase, str) and isinstance(self._open, OpenMessage):
            self._open.phase = phase
        if isinstance(notes, list) and isinstance(self._open, OpenMessage):
            for annotation in filter(None, map(_citation, notes)):
                yield from self._open.cite(annotation)

    def _message(self) -> tuple[OpenMessage, list[Event]]:
        if isinstance(self._open, OpenMessage):
            return self._open, []
        events = list(self._close("completed"))
        place = self._place("msg")
        self._open = message = OpenMessage(place)
        self._open_at = place.index
        return message, [*events, *message.begin()]

    def _think(self, piece: Reasoning) -> Iterator[Event]:
        if not isinstance(self._open, OpenThought):
            yield from self._close("completed")
            is_summary = piece.extra.get("type") == "reasoning.summary"
            place = self._place("rs")
            self._open_at = place.index
            self._open = OpenThought(place, is_summary=is_summary or self._asked.wants_summary)
            yield from self._open.begin()
        yield from self._open.think(piece)

    def _close(self, status: Status) -> Iterator[Event]:
        if self._open is not None:
            self._whole[self._open_at], events = self._open.end(status)
            self._open = None
            yield from events

    def _call(self, delta: ToolCallDelta) -> Iterator[Event]:
        """Of a call that goes back; one that must be allowed is told when it is whole."""
        yield from self._close("completed")
        call = self._calls.setdefault(delta.index, _Call(delta.index))
        call.add(delta)
        if call.open is not None:
            yield from call.open.add(delta.arguments)
        elif call.name and not self._needs_approval(call.name):
            yield from self._open_call(call)

    def _open_call(self, call: "_Call") -> Iterator[Event]:
        given = self._asked.tools.by_name.get(call.name, GivenTool(call.name))
        place = self._place("ctc" if given.is_custom else "fc")
        call.place = place
        call.call_id = call.call_id or f"call_{place.id}"
        call.open = OpenCall(place, call.call_id, given)
        yield from call.open.begin()
        yield from call.open.add("".join(call.arguments))

    def _needs_approval(self, name: str) -> bool:
        offered = self._offered.get(name)
        return offered is not None and offered.needs_approval

    def _give_back(self, call: "_Call", status: Status) -> Iterator[Event]:
        if call.open is None and not self._needs_approval(call.name):
            yield from self._open_call(call)
        if call.open is not None and call.place is not None:
            self._whole[call.place.index], events = call.open.end(status)
            self._sign(call.call_id, call.extra)
            yield from events
        elif status == "completed":
            yield from self._ask_for(call)

    def _ask_for(self, call: "_Call") -> Iterator[Event]:
        offered = self._offered.get(call.name)
        assert offered is not None
        place = self._place("mcpr")
        item = {
            "id": place.id,
            "type": "mcp_approval_request",
            "server_label": offered.label,
            "name": call.name,
            "arguments": "".join(call.arguments) or "{}",
        }
        self._sign(place.id, call.extra)
        yield from self._at_once(place, item)

    def _list_tools(self, label: str) -> Iterator[Event]:
        place = self._place("mcpl")
        tools = [
            {
                "name": one.tool.name,
                "description": one.tool.description,
                "input_schema": one.tool.input_schema,
                "annotations": {"read_only": one.tool.effect == "read"},
            }
            for one in self._offered.tools
            if one.label == label
        ]
        item = {"id": place.id, "type": "mcp_list_tools", "server_label": label, "tools": tools}
        self._whole[place.index] = item
        yield place.added({**item, "tools": []})
        yield place.event("response.mcp_list_tools.in_progress")
        yield place.event("response.mcp_list_tools.completed")
        yield place.done(item)

    def _begin_call(self, begun: CallBegun) -> Iterator[Event]:
        yield from self._close("completed")
        call, place = begun.call, self._place("mcp")
        request = call.id if call.id in self._approved else None
        opened = OpenMcpCall(place, call, begun.label, request)
        self._mcp[call.id] = (place.index, opened)
        if request is None:
            self._sign(place.id, call.extra)
        yield from opened.begin()

    def _end_call(self, ended: CallEnded) -> Iterator[Event]:
        at, opened = self._mcp.pop(ended.call.id)
        self._whole[at], events = opened.end(ended.output, is_error=ended.error is not None)
        yield from events

    def _sign(self, call_id: str, extra: Json) -> None:
        """What a provider wants back with a call has no place in its item."""
        if signs := {name: value for name, value in extra.items() if name != "type"}:
            self._signs[call_id] = signs

    def _seal_calls(self) -> Iterator[Event]:
        place = self._place("rs")
        item = {
            "id": place.id,
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "encrypted_content": sealed((), self._signs),
        }
        yield from self._at_once(place, item)

    def _at_once(self, place: Place, item: dict[str, Any]) -> Iterator[Event]:
        self._whole[place.index] = item
        yield place.added(item)
        yield place.done(item)


class _Call:
    """A call that goes back to the client, as far as it has come."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.call_id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, Any] = {}
        self.open: OpenCall | None = None
        self.place: Place | None = None

    def add(self, delta: ToolCallDelta) -> None:
        self.call_id = self.call_id or delta.id or ""
        self.name = self.name or delta.name or ""
        self.arguments.append(delta.arguments)
        self.extra.update(delta.extra)


def _citation(annotation: Any) -> dict[str, Any] | None:
    """As chat completions write it, with the citation one level further down."""
    cited = annotation.get("url_citation") if isinstance(annotation, Mapping) else None
    if not isinstance(cited, Mapping) or not isinstance(cited.get("url"), str):
        return None
    return {
        "type": "url_citation",
        "url": cited["url"],
        "title": cited.get("title") or "",
        "start_index": cited.get("start_index") or 0,
        "end_index": cited.get("end_index") or 0,
    }

"""Items of an answer that are still growing: each tells how it begins, grows and ends."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.llm.dialects.reasoning_details import continues
from gateway.llm.doors.responses.tools import GivenTool, custom_input
from gateway.llm.doors.seal import sealed
from gateway.llm.gathering import Gathering
from gateway.llm.messages import Chunk, Reasoning, ToolCall

Event = dict[str, Any]
Status = Literal["completed", "incomplete"]

# Between texts that are one text in our messages, and items or parts of their own here.
BREAK = "\n\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands in the answer, and its ID."""

    index: int
    id: str

    def event(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "output_index": self.index, "item_id": self.id, **fields}

    def added(self, item: Mapping[str, Any]) -> Event:
        return {"type": "response.output_item.added", "output_index": self.index, "item": item}

    def done(self, item: Mapping[str, Any]) -> Event:
        return {"type": "response.output_item.done", "output_index": self.index, "item": item}


class OpenMessage:
    """What the model says: a text, a refusal, or one after the other."""

    def __init__(self, place: Place) -> None:
        self.phase: str | None = None
        self._place = place
        self._parts: list[dict[str, Any]] = []
        self._pieces: list[str] = []

    def begin(self) -> Iterator[Event]:
        yield self._place.added(self._item([], "in_progress"))

    def say(self, text: str, logprobs: Sequence[Any] = ()) -> Iterator[Event]:
        yield from self._part("output_text")
        self._pieces.append(text)
        self._parts[-1]["logprobs"] += logprobs
        yield self._event("response.output_text.delta", delta=text, logprobs=list(logprobs))

    def refuse(self, text: str) -> Iterator[Event]:
        yield from self._part("refusal")
        self._pieces.append(text)
        yield self._event("response.refusal.delta", delta=text)

    def cite(self, annotation: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._part("output_text")
        known = self._parts[-1]["annotations"]
        known.append(annotation)
        yield self._event(
            "response.output_text.annotation.added",
            annotation=annotation,
            annotation_index=len(known) - 1,
        )

    def end(self, status: Status) -> tuple[dict[str, Any], list[Event]]:
        events = list(self._end_part())
        item = self._item(self._parts, status)
        return item, [*events, self._place.done(item)]

    def _part(self, kind: str) -> Iterator[Event]:
        """One of this kind, unless it is open already."""
        if self._parts and self._parts[-1]["type"] == kind:
            return
        yield from self._end_part()
        self._parts.append(_empty_part(kind))
        yield self._event("response.content_part.added", part=_empty_part(kind))

    def _end_part(self) -> Iterator[Event]:
        if not self._parts:
            return
        part, text = self._parts[-1], "".join(self._pieces)
        self._pieces.clear()
        if part["type"] == "output_text":
            part["text"] = text
            logprobs = part["logprobs"]
            yield self._event("response.output_text.done", text=text, logprobs=logprobs)
        else:
            part["refusal"] = text
            yield self._event("response.refusal.done", refusal=text)
        yield self._event("response.content_part.done", part=part)

    def _event(self, kind: str, **fields: Any) -> Event:
        return self._place.event(kind, content_index=len(self._parts) - 1, **fields)

    def _item(self, content: Sequence[Any], status: str) -> dict[str, Any]:
        item = {
            "id": self._place.id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }
        return item if self.phase is None else {**item, "phase": self.phase}


class OpenThought:
    """What the model thinks, to be read, and sealed for whoever brings it back."""

    def __init__(self, place: Place, *, is_summary: bool) -> None:
        self._place = place
        self._is_summary = is_summary
        self._gathering = Gathering()
        self._first: Reasoning | None = None
        self._texts: list[list[str]] = []

    def begin(self) -> Iterator[Event]:
        yield self._place.added(self._item("in_progress"))

    def think(self, piece: Reasoning) -> Iterator[Event]:
        self._gathering.add(Chunk(reasoning=(piece,)))
        text = piece.text
        if not text:
            return
        if self._first is None or not continues(self._first, piece):
            yield from self._end_part()
            self._first = piece
            text = text.removeprefix(BREAK) if self._texts else text
            self._texts.append([])
            yield self._part("added", "")
        self._texts[-1].append(text)
        yield self._event("text.delta", delta=text)

    def end(self, status: Status) -> tuple[dict[str, Any], list[Event]]:
        events = list(self._end_part())
        item = self._item(status)
        answers = self._gathering.answers
        item["encrypted_content"] = sealed(answers[0].message.reasoning if answers else ())
        return item, [*events, self._place.done(item)]

    def _end_part(self) -> Iterator[Event]:
        if self._texts:
            text = "".join(self._texts[-1])
            yield self._event("text.done", text=text)
            yield self._part("done", text)

    def _part(self, step: str, text: str) -> Event:
        if self._is_summary:
            return self._event(f"part.{step}", part={"type": "summary_text", "text": text})
        part = {"type": "reasoning_text", "text": text}
        kind = f"response.content_part.{step}"
        return self._place.event(kind, content_index=len(self._texts) - 1, part=part)

    def _event(self, step: str, **fields: Any) -> Event:
        number = len(self._texts) - 1
        if self._is_summary:
            kind = f"response.reasoning_summary_{step}"
            return self._place.event(kind, summary_index=number, **fields)
        return self._place.event(f"response.reasoning_{step}", content_index=number, **fields)

    def _item(self, status: str) -> dict[str, Any]:
        texts = ["".join(pieces) for pieces in self._texts]
        item = {"id": self._place.id, "type": "reasoning", "status": status, "summary": []}
        if self._is_summary:
            return {**item, "summary": [{"type": "summary_text", "text": text} for text in texts]}
        return {**item, "content": [{"type": "reasoning_text", "text": text} for text in texts]}


class OpenCall:
    """A call of a tool that the client runs itself."""

    def __init__(self, place: Place, call_id: str, tool: GivenTool) -> None:
        self._place = place
        self._call_id = call_id
        self._tool = tool
        self._pieces: list[str] = []

    def begin(self) -> Iterator[Event]:
        yield self._place.added(self._item("", "in_progress"))

    def add(self, arguments: str) -> Iterator[Event]:
        """The plain text of a custom tool is inside of JSON, and read when that is whole."""
        self._pieces.append(arguments)
        if arguments and not self._tool.is_custom:
            yield self._place.event("response.function_call_arguments.delta", delta=arguments)

    def end(self, status: Status) -> tuple[dict[str, Any], list[Event]]:
        arguments = "".join(self._pieces)
        if self._tool.is_custom:
            text = custom_input(arguments, _object(arguments))
            kind = "response.custom_tool_call_input"
            events = [
                self._place.event(f"{kind}.delta", delta=text),
                self._place.event(f"{kind}.done", input=text),
            ]
        else:
            text = arguments
            kind = "response.function_call_arguments.done"
            events = [self._place.event(kind, arguments=text, name=self._tool.name)]
        item = self._item(text, status)
        return item, [*events, self._place.done(item)]

    def _item(self, text: str, status: str) -> dict[str, Any]:
        is_custom = self._tool.is_custom
        namespace = {"namespace": self._tool.namespace} if self._tool.namespace else {}
        return {
            "id": self._place.id,
            "type": "custom_tool_call" if is_custom else "function_call",
            "status": status,
            "call_id": self._call_id,
            "name": self._tool.name,
            **namespace,
            "input" if is_custom else "arguments": text,
        }


class OpenMcpCall:
    """A call that the gateway makes; `request` is the ID by which the client allowed it."""

    def __init__(self, place: Place, call: ToolCall, label: str, request: str | None) -> None:
        self._place = place
        self._call = call
        self._label = label
        self._request = request

    def begin(self) -> Iterator[Event]:
        arguments = self._call.arguments or "{}"
        yield self._place.added({**self._item("in_progress"), "arguments": ""})
        yield self._place.event("response.mcp_call.in_progress")
        yield self._place.event("response.mcp_call_arguments.delta", delta=arguments)
        yield self._place.event("response.mcp_call_arguments.done", arguments=arguments)

    def end(self, text: str, *, is_error: bool) -> tuple[dict[str, Any], list[Event]]:
        outcome = "failed" if is_error else "completed"
        item = self._item(outcome)
        if is_error:
            content = [{"type": "text", "text": text}]
            item["error"] = {"type": "mcp_tool_execution_error", "content": content}
        else:
            item["output"] = text
        return item, [self._place.event(f"response.mcp_call.{outcome}"), self._place.done(item)]

    def _item(self, status: str) -> dict[str, Any]:
        return {
            "id": self._place.id,
            "type": "mcp_call",
            "status": status,
            "approval_request_id": self._request,
            "server_label": self._label,
            "name": self._call.name,
            "arguments": self._call.arguments or "{}",
            "output": None,
            "error": None,
        }


def _empty_part(kind: str) -> dict[str, Any]:
    if kind == "refusal":
        return {"type": kind, "refusal": ""}
    return {"type": kind, "text": "", "annotations": [], "logprobs": []}


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None

"""The pieces of an answer as the events of Anthropic's Messages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.llm.dialects.anthropic.blocks import VERBATIM, arguments_object
from gateway.llm.dialects.reasoning_details import continues
from gateway.llm.doors.messages.answer import Envelope, usage_to_json
from gateway.llm.doors.messages.lanes import Event, Lane, Lanes
from gateway.llm.doors.messages.thinking import is_redacted, signature_of
from gateway.llm.doors.messages.work import work_block
from gateway.llm.loop.piece import CallBegun, CallEnded, Piece
from gateway.llm.messages import Chunk, FinishReason, Message, Reasoning, ToolCallDelta, Usage
from gateway.tools.tool import OWN

_STOP: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
# Anthropic's own reasons, which say more than ours.
_SAYS_MORE = ("stop_sequence", "pause_turn", "refusal", "model_context_window_exceeded")
# These came in pieces before; all others are known only once the answer is whole.
_CAME_BEFORE = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_BETWEEN_ROUNDS = "\n\n"


class MessageEvents:
    """Feed it every piece, in order; it gives the events that can be told by then.

    The calls of the gateway's own tools are blocks of Anthropic's connector if it `shows_calls`,
    and else are not told. With `holds_calls` those of the caller's own are told at the end, behind
    what was done unseen. `input_tokens` is a guess for the start, unless the provider says it.
    """

    def __init__(
        self,
        envelope: Envelope,
        *,
        input_tokens: int,
        shows_calls: bool,
        holds_calls: bool = False,
    ) -> None:
        self._envelope = envelope
        self._input_tokens = input_tokens
        self._shows_calls = shows_calls
        self._has_begun = False
        self._lanes = Lanes()
        self._holds_calls = holds_calls
        self._calls: dict[int, Lane] = {}
        self._thoughts: list[Reasoning] = []
        self._finish: FinishReason | None = None
        self._extra: dict[str, Any] = {}
        self._is_after_calls = False

    @property
    def verbatim(self) -> list[dict[str, Any]] | None:
        """The answer as Anthropic gave it, where that says more than its pieces did."""
        blocks: list[dict[str, Any]] | None = self._extra.get(VERBATIM)
        return blocks

    def add(self, piece: Piece) -> Iterator[Event]:
        if not self._has_begun:
            yield from self._begun(piece.usage if isinstance(piece, Chunk) else None)
        if isinstance(piece, Chunk):
            self._add_chunk(piece)
        else:
            self._add_call(piece)
        yield from self._lanes.events()

    def end(
        self, usage: Usage, facts: Mapping[str, Any], work: Sequence[Message] = ()
    ) -> Iterator[Event]:
        """The rest of the blocks, and how it ended; `facts` are the gateway's own.

        `work` are the messages for which this one stands, if the caller has to send them along.
        """
        if not self._has_begun:
            yield from self._begun(usage)
        for block in self.verbatim or ():
            if block.get("type") not in _CAME_BEFORE:
                self._lanes.open(_whole(block))
        if work:
            self._lanes.open(_whole(work_block(work)))
        if self._holds_calls:
            for lane in self._calls.values():
                self._lanes.open(lane)
        yield from self._lanes.end()
        yield {
            "type": "message_delta",
            "delta": self._ending(),
            "usage": usage_to_json(usage),
            "gateway": facts,
        }
        yield {"type": "message_stop"}

    def _begun(self, usage: Usage | None) -> Iterator[Event]:
        self._has_begun = True
        known = usage or Usage(input_tokens=self._input_tokens)
        yield {"type": "message_start", "message": self._envelope.message(known)}
        yield {"type": "ping"}

    def _add_chunk(self, chunk: Chunk) -> None:
        for thought in chunk.reasoning:
            self._think(thought)
        for text in filter(None, (chunk.text, chunk.refusal)):
            self._say(text)
        for delta in chunk.tool_calls:
            self._call(delta)
        self._finish = chunk.finish_reason or self._finish
        self._extra |= chunk.extra

    def _add_call(self, piece: CallBegun | CallEnded) -> None:
        # What the model's provider said of its last round is not about the whole answer.
        self._extra.clear()
        if not self._shows_calls:
            return
        self._is_after_calls = True
        block: dict[str, Any]
        if isinstance(piece, CallBegun):
            block = {
                "type": "mcp_tool_use",
                "id": piece.call.id,
                "name": piece.call.name,
                "server_name": piece.label or OWN,
                "input": arguments_object(piece.call.arguments),
            }
        else:
            block = {
                "type": "mcp_tool_result",
                "tool_use_id": piece.call.id,
                "is_error": piece.error is not None,
                "content": [{"type": "text", "text": piece.error or piece.output}],
            }
        self._lanes.open(_whole(block))

    def _say(self, text: str) -> None:
        lane = self._lanes.last
        if lane is None or lane.kind != "text":
            lane = self._lanes.open(Lane({"type": "text", "text": ""}))
            if self._is_after_calls:
                # The blocks of the calls are space enough.
                text = text.removeprefix(_BETWEEN_ROUNDS)
        self._is_after_calls = False
        if text:
            lane.add({"type": "text_delta", "text": text})

    def _think(self, piece: Reasoning) -> None:
        if is_redacted(piece):
            self._lanes.open(Lane({"type": "redacted_thinking", "data": piece.redacted}))
            return
        lane = self._lanes.last
        if lane is None or lane.kind != "thinking" or not self._goes_on(piece):
            thoughts: list[Reasoning] = []
            self._thoughts = thoughts
            lane = self._lanes.open(
                Lane(
                    {"type": "thinking", "thinking": "", "signature": ""},
                    seal=lambda: {"type": "signature_delta", "signature": signature_of(thoughts)},
                )
            )
        self._thoughts.append(piece)
        if piece.text:
            lane.add({"type": "thinking_delta", "thinking": piece.text})

    def _goes_on(self, piece: Reasoning) -> bool:
        before = self._thoughts
        last = Reasoning("", before[-1].signature, before[0].redacted, before[0].extra)
        return continues(last, piece)

    def _call(self, delta: ToolCallDelta) -> None:
        lane = self._calls.get(delta.index)
        if lane is None:
            block = {
                "type": "tool_use",
                "id": delta.id or f"toolu_{self._envelope.message_id}_{delta.index}",
                "name": delta.name or "",
                "input": {},
            }
            lane = self._calls[delta.index] = Lane(block, is_call=True)
            if not self._holds_calls:
                self._lanes.open(lane)
        elif delta.name and lane.index is None:
            lane.block["name"] = delta.name
        lane.add_arguments(delta.arguments)

    def _ending(self) -> dict[str, Any]:
        said = self._extra.get("stop_reason")
        reason = _STOP.get(self._finish or "stop", "end_turn")
        if said in _SAYS_MORE and reason != "tool_use":
            reason = said
        sequence = self._extra.get("stop_sequence") if reason == "stop_sequence" else None
        return {"stop_reason": reason, "stop_sequence": sequence}


def _whole(block: Mapping[str, Any]) -> Lane:
    """A block that is known as a whole; its input is told as a stream tells it."""
    given = block.get("input")
    if not isinstance(given, Mapping):
        return Lane(dict(block))
    lane = Lane({**block, "input": {}})
    lane.add_arguments(json.dumps(given, ensure_ascii=False))
    return lane

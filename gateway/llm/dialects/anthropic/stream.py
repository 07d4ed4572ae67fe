"""The events of Anthropic's Messages, read into pieces of an answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import Clock
from gateway.errors import BadAnswer
from gateway.llm.dialects.anthropic.blocks import FORMAT, VERBATIM
from gateway.llm.dialects.errors import error_inside
from gateway.llm.dialects.openai.usage import count, mapping
from gateway.llm.dialects.strict_json import read_json
from gateway.llm.dialects.tool_calls import Piece, ToolCalls
from gateway.llm.event_stream import BODY, Event
from gateway.llm.messages import Chunk, FinishReason, Json, Reasoning, Usage

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    # The caller has to send the answer back to get the rest of it.
    "pause_turn": "length",
}
_SAYS_IT_ALL = frozenset({"end_turn", "max_tokens", "tool_use"})
_READ_OF_USAGE = frozenset(
    "input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens "
    "output_tokens_details".split()
)
_THINKING = ("thinking", "redacted_thinking")


@dataclass(slots=True)
class _Block:
    """A block as it came, and its pieces, until all of it is there."""

    raw: dict[str, Any]
    pieces: list[str] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        text = "".join(self.pieces)
        kind = self.raw.get("type")
        if kind in ("text", "thinking"):
            return {**self.raw, kind: self.raw.get(kind, "") + text}
        return {**self.raw, "input": json.loads(text)} if text else self.raw


class AnthropicReader:
    def __init__(self, who: str, *, clock: Clock) -> None:
        self.is_done = False
        self._who = who
        self._clock = clock
        self._model: str | None = None
        self._blocks: dict[int, _Block] = {}
        self._calls = ToolCalls()
        self._usage: dict[str, Any] = {}
        self._has_news = False

    def read(self, event: Event) -> Iterator[Chunk]:
        said = read_json(event.data)
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "error" or event.name == BODY or kind is None:
            raise error_inside(said, who=self._who, clock=self._clock)
        piece = self._piece(kind, said)
        if piece is not None:
            # What the request used is known at its start, and must not be lost with the rest.
            usage, self._has_news = self._so_far() if self._has_news else None, False
            yield Chunk(model=self._model, usage=usage, **piece)

    def end(self) -> None:
        if not self.is_done:
            raise BadAnswer(f"{self._who} broke off before the end of its answer")

    def _piece(self, kind: str, said: dict[str, Any]) -> dict[str, Any] | None:
        match kind:
            case "content_block_delta":
                return self._grow(said["index"], said["delta"])
            case "content_block_start":
                return self._begin(said["index"], said["content_block"])
            case "content_block_stop":
                return self._complete(said["index"])
            case "message_delta":
                self._note_usage(said.get("usage"))
                return self._finish(said["delta"])
            case "message_start":
                self._model = said["message"].get("model")
                self._note_usage(said["message"].get("usage"))
            case "message_stop":
                self.is_done = True
        return None

    def _begin(self, index: int, raw: dict[str, Any]) -> dict[str, Any] | None:
        self._blocks[index] = _Block(dict(raw))
        match raw.get("type"):
            case "text" if raw.get("text"):
                return {"text": raw["text"]}
            case "thinking" if raw.get("thinking") or raw.get("signature"):
                return self._thought(
                    index, raw.get("thinking", ""), signature=raw.get("signature") or None
                )
            case "redacted_thinking":
                return {"reasoning": (Reasoning(redacted=raw["data"], extra=_marks(index)),)}
            case "tool_use":
                given = json.dumps(raw["input"], ensure_ascii=False) if raw.get("input") else ""
                return self._call(index, Piece(index, raw["id"], raw["name"], given))
        return None

    def _grow(self, index: int, delta: dict[str, Any]) -> dict[str, Any] | None:
        block = self._blocks[index]
        match delta["type"]:
            case "text_delta":
                block.pieces.append(delta["text"])
                return {"text": delta["text"]}
            case "thinking_delta":
                block.pieces.append(delta["thinking"])
                return self._thought(index, delta["thinking"])
            case "signature_delta":
                block.raw["signature"] = delta["signature"]
                return self._thought(index, "", signature=delta["signature"])
            case "input_json_delta":
                block.pieces.append(delta["partial_json"])
                if block.raw.get("type") == "tool_use" and delta["partial_json"]:
                    return self._call(index, Piece(index, arguments=delta["partial_json"]))
            case "citations_delta":
                block.raw["citations"] = [*(block.raw.get("citations") or ()), delta["citation"]]
        return None

    def _complete(self, index: int) -> dict[str, Any] | None:
        block = self._blocks[index]
        if block.raw.get("type") != "tool_use" or block.raw.get("input") or any(block.pieces):
            return None
        return self._call(index, Piece(index, arguments="{}"))

    def _finish(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        reason = delta.get("stop_reason")
        if not reason:
            return None
        extra: dict[str, Any] = {}
        if reason not in _SAYS_IT_ALL:
            extra["stop_reason"] = reason
        if delta.get("stop_sequence"):
            extra["stop_sequence"] = delta["stop_sequence"]
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        if reason == "pause_turn" or not _is_plain(blocks):
            extra[VERBATIM] = [block.whole() for block in blocks]
        return {"finish_reason": _FINISH.get(reason, "stop"), "extra": extra}

    def _thought(
        self, index: int, text: str, *, signature: str | None = None
    ) -> dict[str, Any] | None:
        if not text and signature is None:
            return None
        return {"reasoning": (Reasoning(text, signature, extra=_marks(index)),)}

    def _call(self, index: int, piece: Piece) -> dict[str, Any]:
        """Blocks count everything; calls only calls."""
        return {"tool_calls": (self._calls.delta(piece),)}

    def _note_usage(self, usage: Json | None) -> None:
        """Each report is the sum so far; what it leaves out is as it was."""
        if usage:
            self._usage |= {name: value for name, value in usage.items() if value is not None}
            self._has_news = True

    def _so_far(self) -> Usage:
        usage = self._usage
        read = count(usage.get("cache_read_input_tokens"))
        written = count(usage.get("cache_creation_input_tokens"))
        return Usage(
            input_tokens=count(usage.get("input_tokens")) + read + written,
            output_tokens=count(usage.get("output_tokens")),
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=count(
                mapping(usage.get("output_tokens_details")).get("thinking_tokens")
            ),
            extra={name: usage[name] for name in usage.keys() - _READ_OF_USAGE},
        )


def _marks(index: int) -> dict[str, Any]:
    return {"format": FORMAT, "index": index}


def _is_plain(blocks: list[_Block]) -> bool:
    """Whether thoughts, then one text, then calls are all there is, and nothing hangs on them."""
    order = [block.raw.get("type") for block in blocks]
    thoughts = [kind for kind in order if kind in _THINKING]
    texts = [kind for kind in order if kind == "text"]
    calls = [kind for kind in order if kind == "tool_use"]
    if len(texts) > 1 or order != [*thoughts, *texts, *calls]:
        return False
    return not any(block.raw.get("citations") for block in blocks)

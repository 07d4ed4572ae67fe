"""How a stand-in speaks Anthropic's Messages."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import Frame, argument_pieces, call_id, compact, finish, sse
from tests.stand_ins.llm.script import Answer, Refusal

STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class AnthropicWire:
    content_type = "text/event-stream"
    comment = sse({"type": "ping"}, event="ping")

    def frames(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Iterator[Frame]:
        yield _event("message_start", message=self._message(bill, []))
        yield Frame(self.comment)
        blocks = _Blocks()
        yield from blocks.thinking(answer)
        yield from blocks.text(answer)
        yield from blocks.tools(answer, bill)
        reason = STOP.get(finish(answer), finish(answer))
        yield _event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage={
                "output_tokens": bill.tokens.output,
                "output_tokens_details": {"thinking_tokens": bill.tokens.reasoning},
            },
        )
        yield _event("message_stop", is_end=True)

    def whole(self, answer: Answer, bill: Bill) -> bytes:
        content: list[dict[str, Any]] = [{"type": "text", "text": "".join(answer.words())}]
        return compact(
            self._message(bill, content) | {"stop_reason": STOP.get(finish(answer))}
        ).encode()

    def error_frames(self, bill: Bill) -> Iterator[Frame]:
        error = {"type": "overloaded_error", "message": "Overloaded"}
        yield Frame(sse({"type": "error", "error": error}, event="error"), is_end=True)

    def error(self, refusal: Refusal, message: str) -> bytes:
        error = {"type": refusal.type, "message": message}
        return compact({"type": "error", "error": error, "request_id": "req_1"}).encode()

    def _message(self, bill: Bill, content: list[dict[str, Any]]) -> dict[str, Any]:
        tokens = bill.tokens
        return {
            "id": bill.id,
            "type": "message",
            "role": "assistant",
            "model": bill.offer.name,
            "content": content,
            "stop_reason": None,
            "usage": {
                # What was cached is not a part of these, unlike OpenAI's.
                "input_tokens": tokens.input - tokens.cached - tokens.cache_write,
                "cache_read_input_tokens": tokens.cached,
                "cache_creation_input_tokens": tokens.cache_write,
                "output_tokens": tokens.output,
            },
        }


class _Blocks:
    """The content blocks of one message, numbered as they open."""

    def __init__(self) -> None:
        self._index = -1

    def thinking(self, answer: Answer) -> Iterator[Frame]:
        if not answer.reasoning and not answer.signature:
            return
        yield self._open({"type": "thinking", "thinking": "", "signature": ""})
        for thought in answer.reasoning:
            yield self._delta({"type": "thinking_delta", "thinking": thought}, is_reasoning=True)
        if answer.signature:
            delta = {"type": "signature_delta", "signature": answer.signature}
            yield _event("content_block_delta", index=self._index, delta=delta)
        yield self._close()

    def text(self, answer: Answer) -> Iterator[Frame]:
        words = answer.words()
        if not words:
            return
        yield self._open({"type": "text", "text": ""})
        for word in words:
            yield self._delta({"type": "text_delta", "text": word})
        yield self._close()

    def tools(self, answer: Answer, bill: Bill) -> Iterator[Frame]:
        for number, tool in enumerate(answer.tools):
            identity = call_id(tool, number, bill.id)
            yield self._open({"type": "tool_use", "id": identity, "name": tool.name, "input": {}})
            pieces = [] if tool.arguments == "{}" else argument_pieces(tool)
            for piece in pieces or [""]:
                yield self._delta({"type": "input_json_delta", "partial_json": piece})
            yield self._close()

    def _open(self, block: dict[str, Any]) -> Frame:
        self._index += 1
        return _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any], *, is_reasoning: bool = False) -> Frame:
        frame = _event("content_block_delta", index=self._index, delta=delta)
        return Frame(frame.data, tokens=1, is_reasoning=is_reasoning)

    def _close(self) -> Frame:
        return _event("content_block_stop", index=self._index)


def _event(name: str, *, is_end: bool = False, **fields: Any) -> Frame:
    return Frame(sse({"type": name, **fields}, event=name), is_end=is_end)

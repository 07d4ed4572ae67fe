"""How a stand-in speaks Ollama's own chat: JSON, one object a line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import Frame, compact, finish
from tests.stand_ins.llm.script import Answer, Refusal


class OllamaWire:
    content_type = "application/x-ndjson"
    # It has no comments: an empty piece of text keeps the stream alive.
    comment = b'{"model":"m","message":{"role":"assistant","content":""},"done":false}\n'

    def frames(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Iterator[Frame]:
        for thought in answer.reasoning:
            piece = {"content": "", "thinking": thought}
            yield _line(bill, piece, tokens=1, is_reasoning=True)
        for word in answer.words():
            yield _line(bill, {"content": word}, tokens=1)
        for tool in answer.tools:
            # The arguments are an object here, and a call has no id.
            call = {"function": {"name": tool.name, "arguments": json.loads(tool.arguments)}}
            yield _line(bill, {"content": "", "tool_calls": [call]}, tokens=1)
        yield Frame(_last(answer, bill), is_end=True)

    def whole(self, answer: Answer, bill: Bill) -> bytes:
        return _last(answer, bill, content="".join(answer.words()))

    def error_frames(self, bill: Bill) -> Iterator[Frame]:
        yield Frame(b'{"error":"an error was encountered while running the model"}\n', is_end=True)

    def error(self, refusal: Refusal, message: str) -> bytes:
        return compact({"error": message}).encode()


def _line(
    bill: Bill, message: dict[str, Any], *, tokens: int = 0, is_reasoning: bool = False
) -> Frame:
    line = {
        "model": bill.offer.name,
        "created_at": "2026-11-20T12:00:00Z",
        "message": {"role": "assistant", **message},
        "done": False,
    }
    return Frame(f"{compact(line)}\n".encode(), tokens=tokens, is_reasoning=is_reasoning)


def _last(answer: Answer, bill: Bill, *, content: str = "") -> bytes:
    reason = finish(answer)
    line = {
        "model": bill.offer.name,
        "created_at": "2026-11-20T12:00:01Z",
        "message": {"role": "assistant", "content": content},
        "done": True,
        "done_reason": "stop" if reason == "tool_calls" else reason,
        "total_duration": 1_000_000,
        "prompt_eval_count": bill.tokens.input,
        "eval_count": bill.tokens.output,
    }
    return f"{compact(line)}\n".encode()

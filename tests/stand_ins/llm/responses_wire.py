"""How a stand-in speaks OpenAI's Responses API, event by event; one for each answer."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import Frame, argument_pieces, call_id, compact, finish, sse
from tests.stand_ins.llm.responses_rules import SEALED, objection
from tests.stand_ins.llm.script import Answer, Refusal

CREATED = 1795000000
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesWire:
    """`seals` are those of all thoughts that this stand-in gave away, and takes back."""

    content_type = "text/event-stream; charset=utf-8"
    comment = b": keep-alive\n\n"

    def __init__(self, seals: set[str]) -> None:
        self._seals = seals
        self._number = -1
        self._output: list[dict[str, Any]] = []

    def objection(self, body: Mapping[str, Any]) -> Refusal | None:
        return objection(body, self._seals)

    def frames(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Iterator[Frame]:
        begun = _response(bill, body, "in_progress", output=[])
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)
        yield from self._reasoning(answer, body)
        yield from self._message(answer)
        yield from self._calls(answer, bill)
        yield self._end(answer, bill, body)

    def whole(self, answer: Answer, bill: Bill) -> bytes:
        return compact(self._ended(answer, bill, {})).encode()

    def error_frames(self, bill: Bill) -> Iterator[Frame]:
        message = "The server had an error while processing your request."
        yield self._event("error", code="server_error", message=message, param=None)

    def _reasoning(self, answer: Answer, body: Mapping[str, Any]) -> Iterator[Frame]:
        if not answer.reasoning:
            return
        item: dict[str, Any] = {
            "id": f"rs_{secrets.token_hex(8)}",
            "type": "reasoning",
            "summary": [],
        }
        yield self._added(item)
        is_told = bool((body.get("reasoning") or {}).get("summary"))
        for thought in answer.reasoning:
            # Also what nobody is shown was thought, and costs.
            yield Frame(b"", tokens=1, is_reasoning=True)
            if is_told:
                yield from self._summary(item, thought)
        if SEALED in (body.get("include") or ()):
            item |= {"encrypted_content": f"gAAAA{secrets.token_urlsafe(24)}"}
            self._seals.add(item["encrypted_content"])
        yield self._done(item)

    def _summary(self, item: dict[str, Any], thought: str) -> Iterator[Frame]:
        where = {**self._where(item), "summary_index": len(item["summary"])}
        part = {"type": "summary_text", "text": thought}
        name = "response.reasoning_summary"
        yield self._event(f"{name}_part.added", **where, part={**part, "text": ""})
        yield self._event(f"{name}_text.delta", **where, delta=thought)
        yield self._event(f"{name}_text.done", **where, text=thought)
        yield self._event(f"{name}_part.done", **where, part=part)
        item["summary"] = [*item["summary"], part]

    def _message(self, answer: Answer) -> Iterator[Frame]:
        words = answer.words()
        if not words:
            return
        item: dict[str, Any] = {"id": f"msg_{secrets.token_hex(8)}", "type": "message"}
        item |= {"role": "assistant", "status": "in_progress", "content": []}
        yield self._added(item)
        where = {**self._where(item), "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self._event("response.content_part.added", **where, part=part)
        for word in words:
            name = "response.output_text.delta"
            yield self._event(name, tokens=1, **where, delta=word, logprobs=[])
        part |= {"text": "".join(words)}
        yield self._event("response.output_text.done", **where, text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **where, part=part)
        yield self._done({**item, "status": "completed", "content": [part]})

    def _calls(self, answer: Answer, bill: Bill) -> Iterator[Frame]:
        for number, tool in enumerate(answer.tools):
            item = {"id": f"fc_{secrets.token_hex(8)}", "type": "function_call", "name": tool.name}
            item |= {"call_id": call_id(tool, number, bill.id), "arguments": ""}
            yield self._added({**item, "status": "in_progress"}, tokens=1)
            where = self._where(item)
            for piece in argument_pieces(tool):
                name = "response.function_call_arguments.delta"
                yield self._event(name, tokens=1, **where, delta=piece)
            item |= {"arguments": tool.arguments, "status": "completed"}
            said: dict[str, Any] = {"name": tool.name, "arguments": tool.arguments}
            yield self._event("response.function_call_arguments.done", **where, **said)
            yield self._done(item)

    def _end(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Frame:
        response = self._ended(answer, bill, body)
        frame = self._event(f"response.{response['status']}", response=response)
        return Frame(frame.data, is_end=True)

    def _ended(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> dict[str, Any]:
        reason = REASONS.get(finish(answer))
        response = _response(
            bill, body, "incomplete" if reason else "completed", output=self._output
        )
        response["incomplete_details"] = {"reason": reason} if reason else None
        response["usage"] = None if answer.usage == "none" else _usage(bill)
        return response

    def _added(self, item: dict[str, Any], *, tokens: int = 0) -> Frame:
        at = len(self._output)
        name = "response.output_item.added"
        return self._event(name, tokens=tokens, output_index=at, item=item)

    def _done(self, item: dict[str, Any]) -> Frame:
        self._output.append(item)
        at = len(self._output) - 1
        return self._event("response.output_item.done", output_index=at, item=item)

    def _where(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": len(self._output)}

    def _event(self, name: str, /, *, tokens: int = 0, **fields: Any) -> Frame:
        self._number += 1
        said = {"type": name, "sequence_number": self._number, **fields}
        return Frame(sse(said, event=name), tokens=tokens)


def _response(
    bill: Bill, body: Mapping[str, Any], status: str, *, output: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": f"resp_{bill.id}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata", {}),
        "model": bill.offer.name,
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text", {"format": {"type": "text"}}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
    }


def _usage(bill: Bill) -> dict[str, Any]:
    tokens = bill.tokens
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_write,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }

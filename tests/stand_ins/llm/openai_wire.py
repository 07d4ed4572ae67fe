"""How a stand-in speaks OpenAI's chat completions, as its kind of provider does."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import Frame, argument_pieces, call_id, compact, finish, sse
from tests.stand_ins.llm.responses_rules import objection_to_tools
from tests.stand_ins.llm.script import Answer, Refusal

DONE = Frame(b"data: [DONE]\n\n", is_end=True)
COMMENT = b": OPENROUTER PROCESSING\n\n"
CREATED = 1795000000


class OpenAIWire:
    content_type = "text/event-stream"
    comment = COMMENT

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def objection(self, body: Mapping[str, Any]) -> Refusal | None:
        return objection_to_tools(body) if self.kind in ("openai", "azure") else None

    def frames(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Iterator[Frame]:
        if answer.comments:
            yield Frame(COMMENT)
        if self.kind == "azure":
            yield Frame(sse({**self._envelope(bill), "choices": [], "prompt_filter_results": []}))
        yield self._delta(bill, {"role": "assistant", "content": ""})
        for thought in answer.reasoning:
            field = "reasoning_content" if self.kind == "lmstudio" else "reasoning"
            yield self._delta(bill, {field: thought}, tokens=1, is_reasoning=True)
        for word in answer.words():
            if answer.comments:
                yield Frame(COMMENT)
            yield self._delta(bill, {"content": word}, tokens=1)
        yield from self._tools(answer, bill)
        yield from self._end(answer, bill, body)

    def _tools(self, answer: Answer, bill: Bill) -> Iterator[Frame]:
        for number, tool in enumerate(answer.tools):
            index = 0 if answer.all_tools_at_index_0 else number
            first: dict[str, Any] = {
                "index": index,
                "id": call_id(tool, number, bill.id),
                "type": "function",
                "function": {"name": tool.name, "arguments": ""},
            }
            yield self._delta(bill, {"tool_calls": [first]}, tokens=1)
            for piece in argument_pieces(tool):
                more = {"index": index, "function": {"arguments": piece}}
                yield self._delta(bill, {"tool_calls": [more]}, tokens=1)

    def _end(self, answer: Answer, bill: Bill, body: Mapping[str, Any]) -> Iterator[Frame]:
        last = self._chunk(bill, {}, finish_reason=finish(answer))
        place = self._usage_place(answer, body)
        if place == "on_finish":
            last |= self._costs(bill)
        yield Frame(sse(last))
        if place == "after":
            yield Frame(sse({**self._envelope(bill), "choices": [], **self._costs(bill)}))
        yield DONE

    def _usage_place(self, answer: Answer, body: Mapping[str, Any]) -> str:
        if answer.usage != "as_usual":
            return answer.usage
        # OpenRouter always says it; the others when they are asked.
        asked = (body.get("stream_options") or {}).get("include_usage")
        if not asked and self.kind != "openrouter":
            return "none"
        return "on_finish" if self.kind == "nanogpt" else "after"

    def whole(self, answer: Answer, bill: Bill) -> bytes:
        """The answer to a request that does not stream."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.words()) or None}
        if answer.reasoning:
            message["reasoning"] = "".join(answer.reasoning)
        if answer.tools:
            message["tool_calls"] = [
                {
                    "id": call_id(tool, number, bill.id),
                    "type": "function",
                    "function": {"name": tool.name, "arguments": tool.arguments},
                }
                for number, tool in enumerate(answer.tools)
            ]
        choice = {"index": 0, "message": message, "finish_reason": finish(answer)}
        envelope = {**self._envelope(bill), "object": "chat.completion"}
        return compact({**envelope, "choices": [choice], **self._costs(bill)}).encode()

    def error_frames(self, bill: Bill) -> Iterator[Frame]:
        """An error in the middle of a stream, and the last marker as if nothing were wrong."""
        error = {"status": 502, "code": 502, "message": "Provider disconnected unexpectedly"}
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        yield Frame(sse({**self._envelope(bill), "error": error, "choices": [choice]}))
        yield DONE

    def error(self, refusal: Refusal, message: str) -> bytes:
        if self.kind == "openrouter":
            said: dict[str, Any] = {
                "code": refusal.status,
                "message": message,
                "metadata": {"error_type": refusal.code or refusal.type},
            }
        else:
            said = {"message": message, "type": refusal.type, "param": None, "code": refusal.code}
        return compact({"error": said}).encode()

    def _delta(
        self, bill: Bill, delta: dict[str, Any], *, tokens: int = 0, is_reasoning: bool = False
    ) -> Frame:
        return Frame(sse(self._chunk(bill, delta)), tokens=tokens, is_reasoning=is_reasoning)

    def _chunk(
        self, bill: Bill, delta: dict[str, Any], *, finish_reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._envelope(bill), "choices": [choice]}

    def _envelope(self, bill: Bill) -> dict[str, Any]:
        return {
            "id": bill.id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": bill.offer.name,
        }

    def _costs(self, bill: Bill) -> dict[str, Any]:
        usage = usage_of(bill)
        if self.kind == "openrouter":
            usage |= {"cost": float(bill.usd), "is_byok": False}
        if self.kind != "nanogpt":
            return {"usage": usage}
        # `usage.cost` is the list price here, also of what the subscription covers.
        usage["cost"] = float(bill.list_usd)
        pricing = {
            "cost": float(bill.usd),
            "currency": "USD",
            "inputTokens": bill.tokens.input,
            "outputTokens": bill.tokens.output,
            "cacheCost": 0,
            "paymentSource": "subscription" if bill.is_covered else "USD",
            "billedToTeam": False,
        }
        return {"usage": usage, "x_nanogpt_pricing": pricing}


def usage_of(bill: Bill) -> dict[str, Any]:
    tokens = bill.tokens
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_write,
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }

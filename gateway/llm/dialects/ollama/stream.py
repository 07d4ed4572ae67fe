"""The lines of Ollama's own chat, read into pieces of an answer."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.clock import Clock
from gateway.errors import BadAnswer
from gateway.llm.dialects.errors import error_inside
from gateway.llm.dialects.openai.usage import count
from gateway.llm.dialects.strict_json import read_json
from gateway.llm.dialects.tool_calls import Piece, ToolCalls
from gateway.llm.event_stream import Event
from gateway.llm.messages import Chunk, FinishReason, Reasoning, ToolCallDelta, Usage

_READ = frozenset(
    "model created_at message done done_reason prompt_eval_count eval_count remote_model "
    "remote_host".split()
)


class OllamaReader:
    def __init__(self, who: str, *, clock: Clock) -> None:
        self.is_done = False
        self._who = who
        self._clock = clock
        self._calls = ToolCalls()

    def read(self, event: Event) -> Iterator[Chunk]:
        line = read_json(event.data)
        if not isinstance(line, dict) or line.get("error"):
            raise error_inside(line, who=self._who, clock=self._clock)
        message = line.get("message") or {}
        text, thought = message.get("content") or "", message.get("thinking") or ""
        calls = tuple(self._call(raw) for raw in message.get("tool_calls") or ())
        self.is_done = line.get("done") is True
        if text or thought or calls or self.is_done:
            yield Chunk(
                text,
                reasoning=(Reasoning(thought),) if thought else (),
                tool_calls=calls,
                finish_reason=self._finish(line) if self.is_done else None,
                usage=_usage(line) if self.is_done else None,
                model=line.get("model"),
            )

    def end(self) -> None:
        if not self.is_done:
            raise BadAnswer(f"{self._who} broke off before the end of its answer")

    def _call(self, raw: Mapping[str, Any]) -> ToolCallDelta:
        """Calls come whole; their numbers and IDs are missing in older versions."""
        function = raw["function"]
        arguments = function.get("arguments") or {}
        written = (
            arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        )
        return self._calls.delta(Piece(None, raw.get("id") or None, function["name"], written))

    def _finish(self, line: Mapping[str, Any]) -> FinishReason:
        if line.get("done_reason") == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"


def _usage(line: Mapping[str, Any]) -> Usage:
    """Without `prompt_eval_count` when Ollama had the prompt in its cache: then input is 0."""
    return Usage(
        input_tokens=count(line.get("prompt_eval_count")),
        output_tokens=count(line.get("eval_count")),
        extra={name: line[name] for name in line.keys() - _READ},
    )

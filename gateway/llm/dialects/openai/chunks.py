"""A stream of chat completion chunks, read with all that providers do differently."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import Clock
from gateway.errors import BadAnswer, Unavailable
from gateway.llm.dialects.errors import UNAVAILABLE_SECONDS, error_inside
from gateway.llm.dialects.openai.request import Kind
from gateway.llm.dialects.openai.usage import (
    nanogpt_usage,
    openrouter_usage,
    usage_of,
)
from gateway.llm.dialects.reasoning_details import blocks_of
from gateway.llm.dialects.strict_json import read_json
from gateway.llm.dialects.tool_calls import Piece, ToolCalls
from gateway.llm.event_stream import BODY, Event
from gateway.llm.messages import Chunk, FinishReason, Reasoning, ToolCallDelta, Usage

# These document that every whole answer ends with [DONE]; of others a finish reason is enough.
_ALWAYS_SAY_DONE: frozenset[Kind] = frozenset({"nanogpt", "openrouter", "openai", "azure"})
_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "max_tokens": "length",
    "model_length": "length",
    "safety": "content_filter",
}
_READ_OF_FRAME = frozenset(
    "id object created model choices usage error x_nanogpt_pricing cost obfuscation "
    "prompt_filter_results".split()
)
_READ_OF_CHOICE = frozenset(
    "index delta message finish_reason logprobs content_filter_results content_filter_offsets "
    "content_filter_result".split()
)
_READ_OF_DELTA = frozenset(
    "role content reasoning reasoning_content reasoning_details refusal tool_calls".split()
)
_READ_OF_CALL = frozenset({"index", "id", "type", "function", "custom"})


@dataclass(slots=True)
class _Choice:
    calls: ToolCalls = field(default_factory=ToolCalls)
    is_finished: bool = False


class OpenAIReader:
    def __init__(self, kind: Kind, who: str, *, clock: Clock) -> None:
        self.is_done = False
        self._kind = kind
        self._who = who
        self._clock = clock
        self._choices: dict[int, _Choice] = {}
        self._told: dict[str, Any] = {}
        self._untold: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._pricing: dict[str, Any] = {}

    def read(self, event: Event) -> Iterator[Chunk]:
        if event.data.strip() == "[DONE]":
            self.is_done = True
            return
        frame = read_json(event.data)
        if event.name == "error" or not isinstance(frame, dict) or frame.get("error"):
            raise error_inside(frame, who=self._who, clock=self._clock)
        yield from self._chunks(frame)
        self.is_done = event.name == BODY

    def end(self) -> None:
        if self.is_done:
            return
        is_finished = bool(self._choices) and all(one.is_finished for one in self._choices.values())
        if not is_finished or self._kind in _ALWAYS_SAY_DONE:
            raise BadAnswer(f"{self._who} broke off before the end of its answer")

    def _chunks(self, frame: dict[str, Any]) -> Iterator[Chunk]:
        """A frame's usage and its unknown fields come with the first piece that there is."""
        usage = self._usage_so_far(frame)
        self._note_unknown(frame)
        model = frame.get("model")
        for raw in frame.get("choices") or ():
            piece = self._piece(raw)
            if piece is not None:
                around, self._untold = self._untold, {}
                yield Chunk(usage=usage, model=model, frame=around, **piece)
                usage = None
        if usage is not None:
            around, self._untold = self._untold, {}
            yield Chunk(usage=usage, model=model, frame=around)

    def _piece(self, raw: dict[str, Any]) -> dict[str, Any] | None:
        if raw.get("error"):
            raise error_inside(raw, who=self._who, clock=self._clock)
        number = raw.get("index") or 0
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
        delta = raw.get("delta") or raw.get("message") or {}
        extra = _unknown(delta, _READ_OF_DELTA)
        extra |= _unknown(raw, _READ_OF_CHOICE)
        text, reasoning = _said(delta)
        calls: tuple[ToolCallDelta, ...] = ()
        if delta.get("tool_calls"):
            calls = tuple(choice.calls.delta(_call(call)) for call in delta["tool_calls"])
        finish = None
        if raw.get("finish_reason") and not choice.is_finished:
            finish = self._finish(raw, choice, extra)
            calls += tuple(choice.calls.completed())
        refusal, logprobs = delta.get("refusal"), raw.get("logprobs")
        if not (text or reasoning or calls or finish or refusal or extra or logprobs):
            return None
        return {
            "text": text,
            "choice": number,
            "reasoning": reasoning,
            "tool_calls": calls,
            "refusal": refusal,
            "finish_reason": finish,
            "extra": extra,
            "logprobs": logprobs,
        }

    def _finish(
        self, raw: dict[str, Any], choice: _Choice, extra: dict[str, Any]
    ) -> FinishReason | None:
        choice.is_finished = True
        said = str(raw["finish_reason"])
        if said.lower() == "error":
            raise Unavailable(
                f"{self._who} stopped its answer with an error",
                retry_after_seconds=UNAVAILABLE_SECONDS,
            )
        finish = _FINISH.get(said.lower())
        if finish is None:
            extra.setdefault("native_finish_reason", said)
        # Some say "stop" after tool calls; clients run the calls only when told to.
        if choice.calls and finish in (None, "stop"):
            return "tool_calls"
        return finish or "stop"

    def _usage_so_far(self, frame: dict[str, Any]) -> Usage | None:
        usage, pricing = frame.get("usage"), frame.get("x_nanogpt_pricing")
        if not usage and not pricing:
            return None
        self._usage = usage or self._usage
        self._pricing = pricing or self._pricing
        if self._kind == "openrouter":
            return openrouter_usage(self._usage)
        if self._kind == "nanogpt":
            return nanogpt_usage(self._usage, self._pricing, frame_cost=frame.get("cost"))
        return usage_of(self._usage)

    def _note_unknown(self, frame: dict[str, Any]) -> None:
        if frame.keys() <= _READ_OF_FRAME:
            return
        for name in frame.keys() - _READ_OF_FRAME:
            value = frame[name]
            if value is not None and self._told.get(name) != value:
                self._told[name] = self._untold[name] = value


def _said(delta: Mapping[str, Any]) -> tuple[str, tuple[Reasoning, ...]]:
    content = delta.get("content")
    reasoning = _reasoning(delta)
    if isinstance(content, list):  # Mistral answers in parts
        text = "".join(part["text"] for part in content if part.get("type") == "text")
        thought = "".join(inner["text"] for part in content for inner in part.get("thinking") or ())
        return text, (*reasoning, Reasoning(thought)) if thought else reasoning
    return content if isinstance(content, str) else "", reasoning


def _reasoning(delta: Mapping[str, Any]) -> tuple[Reasoning, ...]:
    """The details hold all that the text beside them says, and more."""
    if details := delta.get("reasoning_details"):
        return blocks_of(details)
    text = delta.get("reasoning_content") or delta.get("reasoning")
    return (Reasoning(text),) if text and isinstance(text, str) else ()


def _call(raw: Mapping[str, Any]) -> Piece:
    function = raw.get("function") or raw.get("custom") or {}
    arguments = function.get("arguments") or function.get("input") or ""
    extra = _unknown(raw, _READ_OF_CALL)
    if raw.get("type") == "custom":
        extra["type"] = "custom"
    return Piece(
        number=raw.get("index"),
        call_id=raw.get("id") or None,
        name=function.get("name") or None,
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
        extra=extra,
    )


def _unknown(raw: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    # Nearly every piece has nothing unknown, and that is quicker to see than to list.
    if raw.keys() <= read:
        return {}
    return {name: raw[name] for name in raw.keys() - read if raw[name] is not None}

"""What models are asked and what they answer, in no provider's own JSON.

A dialect turns these into a provider's wire format and back. Whatever a dialect does not know
travels in `extra`, so that it survives the way through the gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Mapping[str, Any]
Role = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """`url` is an http(s) address, or `data:image/png;base64,…`."""

    url: str
    detail: str | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Other:
    """A part of a message that only some providers know, such as audio or a file, as it came."""

    raw: Json


Part = Text | Image | Other


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought, which it may want back unchanged with the results of its tools.

    `text` is readable and may be empty. `signature` and `redacted` are the provider's own
    seals. `extra` keeps the rest of a block, such as one of OpenRouter's `reasoning_details`.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON text, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `tool_call_id` and `is_error` belong to the role `tool`."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: tuple[Reasoning, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    is_error: bool = False
    extra: Json = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A function that the model may call; `parameters` is a JSON Schema object."""

    name: str
    description: str = ""
    parameters: Json | None = None
    strict: bool | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` is auto, none, required or named; only then there is a `name`."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """JSON of any shape, or of one `schema`."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: Json | None = None
    strict: bool | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks. `model` is as the caller wrote it: an ID, an alias, or `auto:…`.

    `extra` holds every field of the request that is not named here, such as `seed`.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    other_tools: tuple[Json, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    answer_format: AnswerFormat | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    choices: int = 1
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used, in tokens; cached ⊂ input and reasoning ⊂ output, as OpenAI counts.

    `billed_usd` is what the provider says it charged, as a decimal number in text, and
    `list_usd` what it says the call is worth; None where it says nothing.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    billed_usd: str | None = None
    list_usd: str | None = None
    payment_source: str | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of one tool call; `index` counts the calls of an answer from 0.

    `id` and `name` come with the first piece of a call, `arguments` in any number of pieces.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer, as it arrives; all pieces in order are the whole answer.

    `choice` is 0 unless several answers were asked for. `reasoning` holds blocks, or pieces of
    them that are joined in order. The last piece of a choice has a `finish_reason`; `usage` may
    come with it or behind it; a later `usage` replaces an earlier one. `logprobs` are as OpenAI
    writes them. `extra` holds unknown fields of the delta, and `frame` those around it.
    """

    text: str = ""
    choice: int = 0
    reasoning: tuple[Reasoning, ...] = ()
    tool_calls: tuple[ToolCallDelta, ...] = ()
    refusal: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    extra: Json = field(default_factory=dict)
    logprobs: Json | None = None
    frame: Json = field(default_factory=dict)

    @property
    def says_something(self) -> bool:
        """Whether a caller that saw this chunk has seen a part of the answer."""
        return bool(
            self.text or self.reasoning or self.tool_calls or self.refusal or self.finish_reason
        )

"""How many tokens a text or a request has: a best guess for routing, a bound for reserving."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.llm.messages import ChatRequest, Image, Message, Other, Part, Text, ToolDefinition
from gateway.llm.model import Model

# Longer texts are guessed by pieces of them, so that a megabyte costs no more than a page.
SAMPLED_CHARACTERS = 4_000
SAMPLES = 16
# A typical photo, by the rules of OpenAI (765) and Anthropic (about 1,600).
IMAGE_TOKENS = 1_000
# The largest that a provider documents for one image of any size is about 10,000 patches.
MOST_IMAGE_TOKENS = 12_000
# 4o-mini counts 2,833 and 5,667 for each of at most eight tiles.
MOST_IMAGE_TOKENS_OF_4O_MINI = 50_000
# Audio and files are counted by what they hold, which only the provider can open.
MOST_OTHER_TOKENS = 50_000
# Chat templates open, name and close each message with a handful of special tokens.
MESSAGE_TOKENS = 16
REQUEST_TOKENS = 64
# Anthropic explains tool use to the model in up to 500 tokens; others frame each tool.
TOOL_USE_TOKENS = 600
TOOL_TOKENS = 32
_DENSE = str.maketrans("", "", "{}()[];=<>_\n")


def estimated_tokens(text: str) -> int:
    """A guess by rules of thumb, within a factor of two of published counts.

    Some four Latin letters are a token, and fewer signs of code; letters of other scripts are
    the costlier the more bytes they need.
    """
    if len(text) <= SAMPLED_CHARACTERS:
        return _counted(text)
    piece, step = SAMPLED_CHARACTERS // SAMPLES, len(text) // SAMPLES
    sample = "".join([text[at : at + piece] for at in range(0, SAMPLES * step, step)])
    return round(_counted(sample) * len(text) / len(sample))


def _counted(text: str) -> int:
    if not text:
        return 0
    if text.isascii():
        # Twice as fast as counting each of them.
        dense = len(text) - len(text.translate(_DENSE))
        return round(len(text) / 4.3 + dense / 4) or 1
    extra_bytes = len(text.encode("utf-8", "replace")) - len(text)
    return round(len(text) / 4 + extra_bytes / 4) or 1


def request_tokens(request: ChatRequest) -> int:
    """The best guess for everything that is sent."""
    written = sum(
        estimated_tokens(message.text)
        + sum(estimated_tokens(call.arguments) for call in message.tool_calls)
        + 4
        for message in request.messages
    )
    tools = sum(_json_bytes(tool.parameters) // 5 + 30 for tool in request.tools)
    other = sum(_json_bytes(tool) // 5 for tool in request.other_tools)
    return written + tools + other + IMAGE_TOKENS * _images(request)


def most_tokens(request: ChatRequest, model: Model | None = None) -> int:
    """More input tokens than any provider can count for this request, for reserving them.

    A token of a byte-level tokenizer covers at least one byte, so text counts as its bytes in
    UTF-8. Images, audio and files are bounded by what providers document at most.
    """
    most_image = MOST_IMAGE_TOKENS
    if model is not None and "4o-mini" in model.name:
        most_image = MOST_IMAGE_TOKENS_OF_4O_MINI
    total = REQUEST_TOKENS + sum(_most_of_message(one, most_image) for one in request.messages)
    if request.tools or request.other_tools:
        total += TOOL_USE_TOKENS
        total += sum(map(_most_of_tool, request.tools))
        total += sum(_json_bytes(tool) + TOOL_TOKENS for tool in request.other_tools)
    # Legacy `functions` and the like are read by the model too.
    total += _json_bytes(request.extra)
    if request.answer_format is not None:
        total += _json_bytes(request.answer_format.schema) + TOOL_USE_TOKENS
    return total


def _most_of_message(message: Message, most_image: int) -> int:
    total = MESSAGE_TOKENS + _bytes(message.name) + _bytes(message.tool_call_id)
    total += sum(_most_of_part(part, most_image) for part in message.parts)
    for call in message.tool_calls:
        total += MESSAGE_TOKENS + _bytes(call.id) + _bytes(call.name) + _bytes(call.arguments)
        total += _json_bytes(call.extra)
    for block in message.reasoning:
        total += MESSAGE_TOKENS + _bytes(block.text) + _bytes(block.signature)
        total += _bytes(block.redacted) + _json_bytes(block.extra)
    return total + _json_bytes(message.extra)


def _most_of_part(part: Part, most_image: int) -> int:
    match part:
        case Text():
            return _bytes(part.text)
        case Image():
            return most_image
        case Other():
            return max(_json_bytes(part.raw), MOST_OTHER_TOKENS)


def _most_of_tool(tool: ToolDefinition) -> int:
    written = _bytes(tool.name) + _bytes(tool.description) + _json_bytes(tool.parameters)
    return written + _json_bytes(tool.extra) + TOOL_TOKENS


def _images(request: ChatRequest) -> int:
    parts = (part for message in request.messages for part in message.parts)
    return sum(isinstance(part, Image) for part in parts)


def _bytes(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _json_bytes(value: Mapping[str, Any] | None) -> int:
    # As Python writes it: with spaces and \u escapes it is longer than any provider's form.
    return len(json.dumps(value, default=str)) if value else 0

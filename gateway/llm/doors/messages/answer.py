"""An answer as Anthropic's Messages has it, whole or in events, the way its clients read it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.llm.dialects.anthropic.blocks import arguments_object
from gateway.llm.messages import Usage

# What only Anthropic says of a call, and its clients understand.
_ALSO_TOLD = ("cache_creation", "server_tool_use", "service_tier", "inference_geo", "speed")
_ARGUMENTS = "partial_json"
# What each kind of delta adds to.
_GROWS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": _ARGUMENTS,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of an answer before it is there."""

    message_id: str
    model: str

    def message(self, usage: Usage) -> dict[str, Any]:
        """A message that has not said anything yet."""
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_to_json(usage),
        }


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """What was cached is counted beside the input here, and not as a part of it."""
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return {
        **{name: usage.extra[name] for name in _ALSO_TOLD if name in usage.extra},
        "input_tokens": max(plain, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


class GatheredMessage:
    """The events of an answer, put together: a plain answer is a stream that was gathered."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._block: dict[str, Any] = {}
        self._pieces: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self._message = event["message"]
            case "content_block_start":
                self._block = dict(event["content_block"])
            case "content_block_delta":
                name = _GROWS[event["delta"]["type"]]
                self._pieces[name].append(event["delta"][name])
            case "content_block_stop":
                self._message["content"].append(self._block | self._grown())
                self._pieces.clear()
            case "message_delta":
                facts = {name: event[name] for name in ("usage", "gateway")}
                self._message |= {**event["delta"], **facts}

    def message(self, verbatim: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """The answer; `verbatim` are its blocks where somebody knows them better."""
        return self._message if verbatim is None else {**self._message, "content": verbatim}

    def _grown(self) -> dict[str, Any]:
        grown: dict[str, Any] = {name: "".join(pieces) for name, pieces in self._pieces.items()}
        if (arguments := grown.pop(_ARGUMENTS, None)) is not None:
            grown["input"] = arguments_object(arguments)
        return grown

"""What OpenAI refuses, at the Responses API and of tools at chat completions, in its own words."""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from tests.stand_ins.llm.script import Refusal

SEALED = "reasoning.encrypted_content"
FIELDS = frozenset(
    "background context_management conversation include input instructions max_output_tokens "
    "max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt "
    "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier "
    "service_tier store stream stream_options temperature text tool_choice tools top_logprobs "
    "top_p truncation user".split()
)
PARTS = {
    "user": {"input_text", "input_image", "input_file"},
    "developer": {"input_text", "input_image", "input_file"},
    "system": {"input_text", "input_image", "input_file"},
    "assistant": {"output_text", "refusal"},
}
# What each type of item must have, and what else it may have.
ITEMS = {
    "message": ("role content", "id status phase type"),
    "reasoning": ("id summary", "content encrypted_content status"),
    "function_call": ("call_id name arguments", "id status"),
    "custom_tool_call": ("call_id name input", "id"),
    "function_call_output": ("call_id output", "id status"),
    "custom_tool_call_output": ("call_id output", "id"),
}
OUTPUTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
WITH_A_NAME = ("function", "custom")


class _Wrong(Exception):
    def __init__(self, message: str, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.refusal = Refusal(status, message, "invalid_request_error", code)


def objection_to_tools(body: Mapping[str, Any]) -> Refusal | None:
    """Of chat completions, which reason with tools only in models before gpt-5.4."""
    name = str(body.get("model"))
    version = re.search(r"gpt-(\d+)(?:\.(\d+))?(?!\d)", name)
    has_functions = any(tool.get("type") == "function" for tool in body.get("tools") or ())
    if not version or not has_functions or body.get("reasoning_effort") == "none":
        return None
    if (int(version[1]), int(version[2] or 0)) < (5, 4):
        return None
    return Refusal(
        400,
        f"Function tools with reasoning_effort are not supported for {name} in "
        "/v1/chat/completions. To use function tools, use /v1/responses or set "
        "reasoning_effort to 'none'.",
        "invalid_request_error",
    )


def objection(body: Mapping[str, Any], seals: Set[str]) -> Refusal | None:
    """Of the Responses API; `seals` are those that it gave away itself."""
    try:
        _check_fields(body)
        _check_tools(body)
        items = body["input"]
        if isinstance(items, list):
            _check_items(items)
            _check_calls(items)
            _check_thoughts(items, seals, is_stored=body.get("store", True))
    except _Wrong as wrong:
        return wrong.refusal
    return None


def _check_fields(body: Mapping[str, Any]) -> None:
    for name in body.keys() - FIELDS:
        raise _Wrong(f"Unknown parameter: '{name}'.", "unknown_parameter")
    for name in ("model", "input"):
        _need(name in body, name)
    most = body.get("max_output_tokens")
    if most is not None and most < 16:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, "
            f"but got {most} instead."
        )
        raise _Wrong(message, "integer_below_min_value")


def _check_tools(body: Mapping[str, Any]) -> None:
    for at, tool in enumerate(body.get("tools") or ()):
        _need("type" in tool, f"tools[{at}].type")
        if tool["type"] in WITH_A_NAME:
            _need("name" in tool, f"tools[{at}].name")
            for name in tool.keys() & set(WITH_A_NAME):
                raise _Wrong(f"Unknown parameter: 'tools[{at}].{name}'.", "unknown_parameter")
        if tool["type"] == "function":
            _need("parameters" in tool, f"tools[{at}].parameters")
            if tool.get("strict", True):
                _check_strict(tool)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] in WITH_A_NAME:
        _need("name" in choice, "tool_choice.name")


def _check_strict(tool: Mapping[str, Any]) -> None:
    schema = tool["parameters"] or {}
    is_closed = schema.get("additionalProperties") is False
    if not is_closed or set(schema.get("required", ())) != set(schema.get("properties", ())):
        message = (
            f"Invalid schema for function '{tool['name']}': In context=(), "
            "'additionalProperties' is required to be supplied and to be false."
        )
        raise _Wrong(message, "invalid_function_parameters")


def _check_items(items: list[dict[str, Any]]) -> None:
    for at, item in enumerate(items):
        where, kind = f"input[{at}]", item.get("type", "message")
        if kind not in ITEMS:
            raise _Wrong(f"Invalid value: '{kind}'.", "invalid_value")
        must, may = (set(names.split()) for names in ITEMS[kind])
        for name in sorted(must - item.keys()):
            _need(False, f"{where}.{name}")
        for name in sorted(item.keys() - must - may - {"type"}):
            raise _Wrong(f"Unknown parameter: '{where}.{name}'.", "unknown_parameter")
        if len(item.get("call_id", "")) > 64:
            message = f"Invalid '{where}.call_id': string too long."
            raise _Wrong(message, "string_above_max_length")
        for part in _parts(item):
            if part["type"] not in PARTS[item.get("role", "user")]:
                raise _Wrong(f"Invalid value: '{part['type']}'.", "invalid_value")


def _parts(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("content", "output"):
        if isinstance(item.get(name), list) and item.get("type") != "reasoning":
            yield from item[name]


def _check_calls(items: list[dict[str, Any]]) -> None:
    called: dict[str, str] = {}
    answered = set()
    for item in items:
        kind = item.get("type")
        if kind is not None and kind in OUTPUTS.values():
            called[item["call_id"]] = kind
        elif kind in OUTPUTS:
            if called.get(item["call_id"]) != OUTPUTS[kind]:
                words = OUTPUTS[kind].replace("_", " ")
                raise _Wrong(
                    f"No tool call found for {words} output with call_id {item['call_id']}."
                )
            answered.add(item["call_id"])
    for call_id in called.keys() - answered:
        raise _Wrong(f"No tool output found for function call {call_id}.")


def _check_thoughts(items: list[dict[str, Any]], seals: Set[str], *, is_stored: bool) -> None:
    for at, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        seal = item.get("encrypted_content")
        if seal is None and not is_stored:
            message = (
                f"Item with id '{item['id']}' not found. Items are not persisted when `store` is "
                "set to false. Try again with `store` set to true, or remove this item from your "
                "input."
            )
            raise _Wrong(message, status=404)
        if seal is not None and seal not in seals:
            message = f"The encrypted content {seal[:5]}... could not be verified."
            raise _Wrong(message, "invalid_encrypted_content")
        following = [one.get("type") for one in items[at + 1 :]]
        if not following or following[0] in OUTPUTS:
            message = (
                f"Item '{item['id']}' of type 'reasoning' was provided without its required "
                "following item."
            )
            raise _Wrong(message)


def _need(is_there: bool, name: str) -> None:
    if not is_there:
        raise _Wrong(f"Missing required parameter: '{name}'.", "missing_required_parameter")

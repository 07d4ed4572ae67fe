"""What an answer of the Responses API repeats of its request."""

from collections.abc import Mapping
from typing import Any

from gateway.llm.doors.responses.tools import shown_tools

# What counts where a request does not say it; null where that is for the model to know.
_USUAL: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "user": None,
}


def echo_of(body: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: body[name] for name in _USUAL if body.get(name) is not None}
    echo = {**_USUAL, **given, "tools": shown_tools(body.get("tools"))}
    for name in ("reasoning", "text"):
        if isinstance(given.get(name), dict):
            echo[name] = {**_USUAL[name], **given[name]}
    # Nothing is ever cut off here: what is too long for a model is said to be so.
    return {**echo, "truncation": "disabled", "background": False}

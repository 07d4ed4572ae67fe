"""What the demo answers: never more than that it is a demo, in the shape that was asked for."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.demo_llm.sample import sample

Json = Mapping[str, Any]

MOST_REPEATED = 160
LETTERS_PER_TOKEN = 4
FEW_TOOLS = 3
_HOLDS_A_QUESTION = ("query", "question", "title", "prompt")


@dataclass(frozen=True, slots=True)
class DemoCall:
    """`arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """Either `words`, in the pieces in which they are streamed, or `calls` of tools."""

    words: tuple[str, ...]
    calls: tuple[DemoCall, ...]
    finish_reason: str
    input_tokens: int

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def output_tokens(self) -> int:
        arguments = sum(len(call.arguments) // LETTERS_PER_TOKEN + 1 for call in self.calls)
        return len(self.words) + arguments


def answer(body: Json) -> DemoAnswer:
    messages = [message for message in body["messages"] if isinstance(message, Mapping)]
    input_tokens = max(sum(len(_text(message)) for message in messages) // LETTERS_PER_TOKEN, 1)
    if calls := _calls(body, messages):
        return DemoAnswer((), calls, "tool_calls", input_tokens)
    words = tuple(re.findall(r"\s*\S+", _said(body, messages)))
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    is_cut = isinstance(most, int) and 0 < most < len(words)
    reason = "length" if is_cut else "stop"
    return DemoAnswer(words[:most] if is_cut else words, (), reason, input_tokens)


def _calls(body: Json, messages: Sequence[Json]) -> tuple[DemoCall, ...]:
    """Those tools that the question names, else the first of a few, or `search` among many.

    None once there are results.
    """
    choice = body.get("tool_choice") or "auto"
    tools = [
        tool["function"]
        for tool in body.get("tools") or ()
        if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping)
    ]
    has_results = bool(messages) and messages[-1].get("role") == "tool"
    if not tools or choice == "none" or (has_results and choice == "auto"):
        return ()
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        wanted = [tool for tool in tools if tool.get("name") == name]
    else:
        wanted = [tool for tool in tools if _is_named(tool, _question(messages))]
        if not wanted:
            is_few = len(tools) <= FEW_TOOLS
            wanted = [tool for tool in tools if is_few or tool.get("name") == "search"][:1]
    if body.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    return tuple(
        DemoCall(str(tool.get("name")), json.dumps(_arguments(tool, _question(messages))))
        for tool in wanted
    )


def _is_named(tool: Json, question: str) -> bool:
    """By its name, or by all words of it: "create a task" names `create_task`."""
    name = str(tool.get("name"))
    words = set(re.findall(r"\w+", question.lower()))
    return name in question or ("_" in name and set(name.lower().split("_")) <= words)


def _arguments(tool: Json, question: str) -> Any:
    """What fits the schema; the question itself where a text is asked for that can hold it."""
    schema = tool.get("parameters") or {"type": "object"}
    arguments = sample(schema)
    for name in _HOLDS_A_QUESTION:
        if isinstance(arguments, dict) and isinstance(arguments.get(name), str):
            arguments[name] = question
    return arguments


def _said(body: Json, messages: Sequence[Json]) -> str:
    form = body.get("response_format")
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "json_schema" and isinstance(form, Mapping):
        return json.dumps(sample((form.get("json_schema") or {}).get("schema") or {}))
    if kind == "json_object":
        return json.dumps({"demo": True, "answer": "This is a demo: no model was asked."})
    if messages and messages[-1].get("role") == "tool":
        results = [_shortened(_text(message)) for message in _last_results(messages)]
        return f"This is a demo: no model was asked. The tools said: {'; '.join(results)}"
    return (
        "This is a demo: no model was asked. Set NANOGPT_API_KEY, or the key of another provider, "
        f"for real answers. Your question was: {_shortened(_question(messages))}"
    )


def _last_results(messages: Sequence[Json]) -> Sequence[Json]:
    results: list[Json] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        results.insert(0, message)
    return results


def _question(messages: Sequence[Json]) -> str:
    asked = [message for message in messages if message.get("role") == "user"]
    return _text(asked[-1]) if asked else ""


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_REPEATED else f"{text[: MOST_REPEATED - 1]}…"

"""A piece of an answer as it goes over the wire, and what the dialects share about it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.stand_ins.llm.script import Answer, Tool


@dataclass(frozen=True, slots=True)
class Frame:
    """`tokens` are billed when it has been sent; `is_end` is the last marker of a stream."""

    data: bytes
    tokens: int = 0
    is_reasoning: bool = False
    is_end: bool = False


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sse(value: Any, *, event: str | None = None) -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {compact(value)}\n\n".encode()


def argument_pieces(tool: Tool) -> list[str]:
    """The arguments as a model writes them, a few letters at a time."""
    return re.findall(r".{1,7}", tool.arguments, re.S)


def call_id(tool: Tool, number: int, bill_id: str) -> str:
    return tool.id or f"call_{bill_id}_{number}"


def finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.tools else "stop")


def cut(data: bytes, size: int | None) -> Iterator[bytes]:
    if size is None:
        yield data
        return
    for start in range(0, len(data), size):
        yield data[start : start + size]

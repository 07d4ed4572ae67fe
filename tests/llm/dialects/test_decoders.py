"""Whatever a provider sends, its dialect gives chunks or one of our errors, and soon."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.ollama import dialect as ollama
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.doors.chat.format import Envelope, chunk_to_json, event
from gateway.llm.gathering import Gathering
from tests.llm.dialects.recordings import FILES, decoded, dialect_of, recorded

WORDS = (
    "choices delta message content tool_calls function name arguments index id usage error type "
    "finish_reason reasoning reasoning_details text done cost x_nanogpt_pricing content_block "
    "message_start content_block_start content_block_delta message_delta text_delta".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)
DIALECTS: list[Dialect] = [
    openai.Dialect("nanogpt"),
    openai.Dialect("openrouter"),
    anthropic.Dialect(),
    ollama.Dialect(),
]


def read(dialect: Dialect, data: bytes) -> None:
    """The chunks can be gathered and written, or there is an error of ours."""
    gathering = Gathering()
    try:
        for chunk in decoded(dialect, data):
            gathering.add(chunk)
            event(chunk_to_json(chunk, Envelope("id", 1, "m")))
    except GatewayError:
        return
    assert isinstance(gathering.answers, tuple)


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(VALUES, max_size=3))
def test_json_of_any_shape_is_an_answer_or_an_error(frames: list[Any]) -> None:
    for dialect in DIALECTS:
        before = "" if isinstance(dialect, ollama.Dialect) else "data: "
        data = "".join(f"{before}{json.dumps(frame)}\n\n" for frame in frames)
        read(dialect, data.encode())


def frames_of(data: bytes) -> list[Any]:
    lines = [line.removeprefix("data:").strip() for line in data.decode().splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document that holds a value: what it is in, and its key."""
    inner = list(value.items() if isinstance(value, dict) else enumerate(value))
    deeper = [place for _, one in inner if isinstance(one, dict | list) for place in places(one)]
    return [(value, key) for key, _ in inner] + deeper


STREAMS = [name for name in FILES if "cut_off" not in name]


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(STREAMS), at=st.integers(0, 10_000), other=VALUES)
def test_a_value_of_another_type_is_an_answer_or_an_error(name: str, at: int, other: Any) -> None:
    frames = frames_of(recorded(name))
    found = places(frames)
    holder, key = found[at % len(found)]
    holder[key] = other
    before = "" if name.startswith("ollama") else "data: "
    data = "".join(f"{before}{json.dumps(frame)}\n\n" for frame in frames)
    read(dialect_of(name), data.encode())


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), at=st.integers(0, 4000), noise=st.binary(max_size=6))
def test_a_damaged_stream_is_an_answer_or_an_error(name: str, at: int, noise: bytes) -> None:
    data = recorded(name)
    at %= len(data)
    read(dialect_of(name), data[:at] + noise + data[at + len(noise) :])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b": hi\n\n", b"<html>", b"data: {\n\n", b"data: 5\n\n"]
)
def test_no_answer_is_an_error(dialect: Dialect, data: bytes) -> None:
    with pytest.raises(GatewayError):
        list(decoded(dialect, data))


def test_a_piece_of_nested_nonsense_is_an_error() -> None:
    data = b"data: " + b'{"choices":' * 100_000 + b"\n\n"
    with pytest.raises(GatewayError):
        list(decoded(openai.Dialect(), data))


def stream_of(events: int) -> bytes:
    frame: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1763700000,
        "model": "gpt-6-sol",
        "system_fingerprint": "fp_1",
    }
    frames = [
        {**frame, "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]}
        for _ in range(events - 1)
    ]
    frames.append({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    written = "".join(f"data: {json.dumps(one)}\n\n" for one in frames)
    return f"{written}data: [DONE]\n\n".encode()


def seconds_to_pass_on(data: bytes) -> float:
    began = time.thread_time()
    decoder = openai.Dialect("openai").decoder()
    envelope = Envelope("chatcmpl-2", 1763700000, "openai/gpt-6-sol")
    for piece in data.split(b"\n\n"):
        for chunk in decoder.feed(piece + b"\n\n"):
            event(chunk_to_json(chunk, envelope))
    decoder.end()
    return time.thread_time() - began


def test_a_stream_of_31_events_takes_less_than_2_milliseconds() -> None:
    data = stream_of(31)
    assert min(seconds_to_pass_on(data) for _ in range(20)) < 0.002

"""Requests of every shape that all dialects can say."""

import json

from hypothesis import strategies as st

from gateway.llm.messages import (
    AnswerFormat,
    ChatRequest,
    Image,
    Message,
    Other,
    Reasoning,
    Text,
    ToolCall,
    ToolChoice,
    ToolDefinition,
)
from gateway.llm.model import Model

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
objects = st.dictionaries(names, st.integers() | texts | st.booleans(), max_size=3)
arguments = objects.map(json.dumps)
pictures = st.sampled_from(["https://example.org/a.png", "data:image/png;base64,iVBORw0KGgo="])

plain_text = st.builds(Text, texts)
text_parts = plain_text | st.builds(
    Text, texts, extra=st.just({"cache_control": {"type": "ephemeral"}})
)
images = st.builds(Image, pictures, st.sampled_from([None, "low", "high"]))
audio = st.just(Other({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}))

sealed_thoughts = st.lists(
    st.builds(
        Reasoning,
        texts,
        st.none() | names,
        extra=st.fixed_dictionaries(
            {"type": st.just("reasoning.text"), "index": st.integers(0, 9)}
        ),
    )
    | st.builds(Reasoning, texts, extra=st.just({"type": "reasoning.summary", "id": "rs_1"}))
    | st.builds(Reasoning, redacted=names, extra=st.just({"type": "reasoning.encrypted"})),
    min_size=1,
    max_size=3,
).map(tuple)
thoughts = st.just(()) | texts.filter(bool).map(lambda text: (Reasoning(text),)) | sealed_thoughts
calls = st.lists(
    st.builds(ToolCall, names, names, arguments)
    | st.builds(
        ToolCall,
        names,
        names,
        arguments,
        st.just({"extra_content": {"google": {"thought_signature": "s"}}}),
    ),
    max_size=3,
    unique_by=lambda call: call.id,
).map(tuple)


def parts_of(part: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(part, min_size=1, max_size=3).map(tuple)


said_by_system = st.builds(Message, st.just("system"), parts_of(text_parts))
said_by_user = st.builds(
    Message, st.just("user"), parts_of(text_parts | images | audio), name=st.none() | names
)
said_by_model = st.builds(
    Message,
    st.just("assistant"),
    parts_of(plain_text),
    calls,
    thoughts,
    extra=st.just({}) | st.just({"refusal": "No."}),
)
said_by_tool = st.builds(Message, st.just("tool"), parts_of(plain_text), tool_call_id=names)
messages = st.lists(
    said_by_system | said_by_user | said_by_model | said_by_tool, min_size=1, max_size=5
).map(tuple)

tools = st.lists(
    st.builds(
        ToolDefinition,
        names,
        texts,
        st.none() | st.just({"type": "object", "properties": {"x": {"type": "string"}}}),
        st.none() | st.booleans(),
        st.just({}) | st.just({"cache_control": {"type": "ephemeral"}}),
    ),
    max_size=3,
).map(tuple)
choices = st.none() | st.sampled_from(
    [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "find")]
)
formats = (
    st.none()
    | st.just(AnswerFormat("json_object"))
    | st.builds(
        AnswerFormat,
        st.just("json_schema"),
        names,
        st.none() | st.just({"type": "object"}),
        st.none() | st.booleans(),
        st.just({}) | st.just({"description": "d"}),
    )
)
requests = st.builds(
    ChatRequest,
    model=names,
    messages=messages,
    tools=tools,
    other_tools=st.just(()) | st.just(({"type": "custom", "custom": {"name": "patch"}},)),
    tool_choice=choices,
    parallel_tool_calls=st.none() | st.booleans(),
    answer_format=formats,
    max_output_tokens=st.none() | st.integers(1, 10_000),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    stop=st.lists(texts.filter(str.strip), max_size=3).map(tuple),
    reasoning_effort=st.none() | st.sampled_from(["none", "low", "high"]),
    choices=st.sampled_from([1, 1, 2]),
    extra=st.just({}) | st.just({"seed": 7, "user": "u", "provider": {"sort": "price"}}),
)


def model(name: str = "some-model", **facts: object) -> Model:
    return Model(f"provider/{name}", "provider", name, name, **facts)  # type: ignore[arg-type]

"""An answer, piece by piece, as the events of the Responses API."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.llm.doors.responses.format import AnswerStream, Envelope, asked_from_json
from gateway.llm.doors.seal import opened
from gateway.llm.loop.offered import Offered, OfferedTool
from gateway.llm.loop.piece import CallBegun, CallEnded, Piece
from gateway.llm.messages import Chunk, Reasoning, ToolCall, ToolCallDelta
from gateway.tools.tool import Answer, Effect, Tool

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PATCH = {"type": "custom", "name": "apply_patch"}


async def nothing(_: object) -> Answer:
    return Answer({})


def ours(name: str, *, needs_approval: bool = False) -> OfferedTool:
    tool = Tool(name, name, "Does it.", {"type": "object"}, nothing, Effect.WRITE, origin="notes")
    return OfferedTool(tool, "notes", needs_approval)


def stream(*tools: OfferedTool, **body: Any) -> AnswerStream:
    asked = asked_from_json({"model": "auto", "input": "Hi.", **body})
    offered = Offered({one.tool.name: one for one in tools})
    envelope = Envelope("r1", 1_795_000_000, "openrouter/small", asked.echo)
    return AnswerStream(envelope, asked, offered=offered, approved=frozenset({"allowed"}))


def told(telling: AnswerStream, pieces: Iterable[Piece], listed: Sequence[str] = ("notes",)) -> Any:
    """All events, as a client reads them."""
    events = [*telling.begin(frozenset(listed))]
    for piece in pieces:
        events += telling.tell(piece)
    events += telling.end_items()
    events.append(telling.end(telling.response()))
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    for one in events:
        EVENT.validate_python(json.loads(json.dumps(one)), strict=True)
    return events


def kinds(events: Any) -> list[tuple[str, int | None]]:
    """What happened to which item, between the beginning and the end."""
    return [
        (one["type"].removeprefix("response."), one.get("output_index")) for one in events[2:-1]
    ]


def call(index: int, name: str, *arguments: str, **extra: Any) -> list[Chunk]:
    first = ToolCallDelta(index, id=f"c{index}", name=name, extra=extra)
    rest = [ToolCallDelta(index, arguments=piece) for piece in arguments]
    return [Chunk(tool_calls=(delta,)) for delta in (first, *rest)]


def begun(call_id: str, name: str = "add_note") -> CallBegun:
    return CallBegun(1, ToolCall(call_id, name, '{"text":"x"}'), "notes")


def ended(call_id: str, text: str = "done", error: str | None = None) -> CallEnded:
    made = ToolCall(call_id, "add_note", '{"text":"x"}')
    return CallEnded(1, made, "notes", text, 1.0, Answer({}), error)


def test_a_text_grows_in_one_part_of_one_message() -> None:
    events = told(stream(), [Chunk("Hel"), Chunk("lo"), Chunk(finish_reason="stop")])
    assert [one["type"] for one in events[:2]] == ["response.created", "response.in_progress"]
    assert kinds(events) == [
        ("output_item.added", 0),
        ("content_part.added", 0),
        ("output_text.delta", 0),
        ("output_text.delta", 0),
        ("output_text.done", 0),
        ("content_part.done", 0),
        ("output_item.done", 0),
    ]
    assert events[-1]["type"] == "response.completed"
    response = events[-1]["response"]
    assert Response.model_validate(response, strict=True).output_text == "Hello"
    assert events[2]["item"]["content"] == []
    assert events[0]["response"]["status"] == "in_progress"


def test_a_refusal_follows_the_text_in_a_part_of_its_own() -> None:
    events = told(stream(), [Chunk("Well. "), Chunk(refusal="No."), Chunk(finish_reason="stop")])
    assert [kind for kind, _ in kinds(events)][-5:] == [
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    content = events[-1]["response"]["output"][0]["content"]
    assert [part["type"] for part in content] == ["output_text", "refusal"]


def test_thoughts_come_before_the_text_and_are_sealed() -> None:
    signed = Reasoning(signature="s")
    pieces = [Chunk(reasoning=(one,)) for one in (Reasoning("Hm, "), Reasoning("so."), signed)]
    events = told(stream(), [*pieces, Chunk("Yes.", finish_reason="stop")])
    assert kinds(events)[:8] == [
        ("output_item.added", 0),
        ("content_part.added", 0),
        ("reasoning_text.delta", 0),
        ("reasoning_text.delta", 0),
        ("reasoning_text.done", 0),
        ("content_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
    ]
    thought = events[-1]["response"]["output"][0]
    assert thought["content"] == [{"type": "reasoning_text", "text": "Hm, so."}]
    seal = opened(thought["encrypted_content"])
    assert seal is not None
    assert seal.thoughts == (Reasoning("Hm, so.", "s"),)


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_a_summary_is_told_as_one(is_asked_for: bool) -> None:
    marks = [{} if is_asked_for else {"type": "reasoning.summary", "index": n} for n in (0, 1)]
    pieces = [Reasoning("One", extra=marks[0]), Reasoning("\n\nTwo", extra=marks[1])]
    body: Any = {"reasoning": {"summary": "auto"}} if is_asked_for else {}
    events = told(stream(**body), [Chunk(reasoning=(one,)) for one in pieces])
    part = [
        ("reasoning_summary_part.added", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0),
        ("reasoning_summary_part.done", 0),
    ]
    summary = events[-1]["response"]["output"][0]["summary"]
    if is_asked_for:
        assert [one["text"] for one in summary] == ["One\n\nTwo"]
    else:
        assert kinds(events)[1:-1] == [*part, *part]
        assert [one["text"] for one in summary] == ["One", "Two"]


def test_calls_of_the_client_may_grow_at_the_same_time() -> None:
    one, other = call(0, "weather", '{"a"', ":1}"), call(1, "weather", "{}")
    pieces = [one[0], other[0], one[1], other[1], one[2], Chunk(finish_reason="tool_calls")]
    events = told(stream(), pieces)
    assert kinds(events) == [
        ("output_item.added", 0),
        ("output_item.added", 1),
        ("function_call_arguments.delta", 0),
        ("function_call_arguments.delta", 1),
        ("function_call_arguments.delta", 0),
        ("function_call_arguments.done", 0),
        ("output_item.done", 0),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
    ]
    items = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in items] == [
        ("c0", '{"a":1}'),
        ("c1", "{}"),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"input": "*** Begin\\n"}', "*** Begin\n"), ("*** Begin", "*** Begin")],
)
def test_a_plain_text_call_is_told_as_the_text(arguments: str, text: str) -> None:
    events = told(stream(tools=[PATCH]), call(0, "apply_patch", arguments[:5], arguments[5:]))
    assert kinds(events) == [
        ("output_item.added", 0),
        ("custom_tool_call_input.delta", 0),
        ("custom_tool_call_input.done", 0),
        ("output_item.done", 0),
    ]
    [item] = events[-1]["response"]["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", text)


def test_a_tool_of_a_namespace_is_called_by_the_clients_own_name() -> None:
    function = {"type": "function", "name": "search", "parameters": {}}
    space = {"type": "namespace", "name": "github", "description": "", "tools": [function]}
    events = told(stream(tools=[space]), call(0, "github__search", "{}"))
    [item] = events[-1]["response"]["output"]
    assert (item["namespace"], item["name"]) == ("github", "search")


def test_tools_are_listed_once_and_their_calls_told_side_by_side() -> None:
    failed = ended("a", "it failed", error="it failed")
    pieces: list[Piece] = [begun("a"), begun("b"), ended("b", "two"), failed]
    pieces.append(Chunk("\n\nDone."))
    events = told(stream(ours("add_note")), pieces, listed=())
    listing = ["output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed"]
    calling = ["output_item.added", "mcp_call.in_progress"]
    calling += ["mcp_call_arguments.delta", "mcp_call_arguments.done"]
    assert kinds(events)[:16] == [
        *((kind, 0) for kind in (*listing, "output_item.done")),
        *((kind, 1) for kind in calling),
        *((kind, 2) for kind in calling),
        ("mcp_call.completed", 2),
        ("output_item.done", 2),
        ("mcp_call.failed", 1),
        ("output_item.done", 1),
    ]
    tools, failed, done, said = events[-1]["response"]["output"]
    assert [tool["name"] for tool in tools["tools"]] == ["add_note"]
    assert (failed["status"], failed["output"]) == ("failed", None)
    assert failed["error"]["content"][0]["text"] == "it failed"
    assert (done["status"], done["output"], done["error"]) == ("completed", "two", None)
    assert said["content"][0]["text"] == "Done."
    assert "mcp_list_tools" not in {
        item["type"] for item in told(stream(ours("add_note")), [])[-1]["response"]["output"]
    }


def test_a_call_that_must_be_allowed_is_asked_for_when_it_is_whole() -> None:
    pieces = [*call(0, "add_note", '{"text":', '"x"}'), Chunk(finish_reason="tool_calls")]
    events = told(stream(ours("add_note", needs_approval=True)), pieces)
    assert kinds(events) == [("output_item.added", 0), ("output_item.done", 0)]
    [item] = events[-1]["response"]["output"]
    assert item["type"] == "mcp_approval_request"
    assert (item["server_label"], item["name"]) == ("notes", "add_note")
    assert item["arguments"] == '{"text":"x"}'


def test_a_call_that_was_allowed_names_its_request() -> None:
    events = told(
        stream(ours("add_note", needs_approval=True)), [begun("allowed"), ended("allowed")]
    )
    [item] = events[-1]["response"]["output"]
    assert item["approval_request_id"] == "allowed"


def test_what_a_provider_wants_back_with_a_call_is_sealed_behind_it() -> None:
    events = told(stream(), call(0, "weather", "{}", extra_content={"google": "sign"}))
    made, seal = events[-1]["response"]["output"]
    found = opened(seal["encrypted_content"])
    assert found is not None
    assert found.calls == {made["call_id"]: {"extra_content": {"google": "sign"}}}


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_off_is_incomplete(finish: Any, reason: str) -> None:
    ask = ours("add_note", needs_approval=True)
    pieces = [Chunk("Hel"), *call(0, "add_note", "{"), Chunk(finish_reason=finish)]
    events = told(stream(ask), pieces)
    assert events[-1]["type"] == "response.incomplete"
    response = events[-1]["response"]
    assert response["incomplete_details"] == {"reason": reason}
    assert [item["type"] for item in response["output"]] == ["message"]


def test_sources_are_cited() -> None:
    cited = {"url": "https://example.org", "title": "T", "start_index": 0, "end_index": 2}
    note = {"type": "url_citation", "url_citation": cited}
    events = told(stream(), [Chunk("Yes", extra={"annotations": [note, "junk"]})])
    [part] = events[-1]["response"]["output"][0]["content"]
    assert part["annotations"] == [{"type": "url_citation", **cited}]
    assert ("output_text.annotation.added", 0) in kinds(events)


def test_an_answer_that_breaks_off_tells_what_was_whole() -> None:
    telling = stream()
    events = [*telling.begin(frozenset()), *telling.tell(Chunk(reasoning=(Reasoning("Hm."),)))]
    events += telling.tell(Chunk("Hel"))
    last = list(telling.fail({"message": "It broke.", "code": "unavailable", "param": None}))
    assert [one["type"] for one in last] == ["error", "response.failed"]
    assert last[0]["sequence_number"] == len(events)
    assert last[0]["message"] == "It broke."
    response = last[1]["response"]
    assert response["error"] == {"code": "server_error", "message": "It broke."}
    assert [item["type"] for item in response["output"]] == ["reasoning"]
    assert Response.model_validate(response, strict=True).status == "failed"

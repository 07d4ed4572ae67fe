"""The events of OpenAI's Responses API, read into pieces of an answer.

What a `done` event says again is passed on only as far as no `delta` said it before.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.clock import Clock
from gateway.errors import BadAnswer, GatewayError
from gateway.llm.dialects.errors import error_inside
from gateway.llm.dialects.openai.usage import mapping, usage_of
from gateway.llm.dialects.responses.items import BREAK, FORMAT, PHASE, VERBATIM
from gateway.llm.dialects.strict_json import read_json
from gateway.llm.dialects.tool_calls import Piece, ToolCalls
from gateway.llm.event_stream import BODY, Event
from gateway.llm.messages import Chunk, FinishReason, Json, Reasoning, Usage

# What grows, by which number its parts are told apart, and where `done` says it whole.
_GROWING = {
    "response.output_text": ("text", "content_index", "text"),
    "response.refusal": ("refusal", "content_index", "refusal"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
    "response.reasoning_text": ("thought", "content_index", "text"),
    "response.function_call_arguments": ("arguments", None, "arguments"),
    "response.custom_tool_call_input": ("arguments", None, "input"),
}
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_INCOMPLETE: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
# Of the codes of a response that failed, those that say what no status beside them does.
_OF_POLICY = frozenset(
    "bio_policy cyber_policy misalignment_policy_violation image_content_policy_violation".split()
)
_OF_THE_REQUEST = ("invalid_", "image_", "unsupported_", "empty_", "failed_to_", "data_residency_")

_Key = tuple[int, str, int]


class ResponsesReader:
    def __init__(self, who: str, issuer: str, *, clock: Clock) -> None:
        self.is_done = False
        self._who = who
        self._issuer = issuer
        self._clock = clock
        self._model: str | None = None
        self._calls = ToolCalls()
        self._begun: set[int] = set()
        self._spoke: int | None = None
        self._passed_on: dict[_Key, int] = {}
        self._blocks: dict[_Key, int] = {}
        self._items: dict[int, dict[str, Any]] = {}

    def read(self, event: Event) -> Iterator[Chunk]:
        said = read_json(event.data)
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "error":
            raise self._failure(said.get("error") or said)
        if kind is None or event.name == BODY:
            raise error_inside(said, who=self._who, clock=self._clock)
        for piece in self._pieces(kind, said):
            yield Chunk(model=self._model, **piece)

    def end(self) -> None:
        if not self.is_done:
            raise BadAnswer(f"{self._who} broke off before the end of its answer")

    def _pieces(self, kind: str, said: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name, _, step = kind.rpartition(".")
        if name in _GROWING and step in ("delta", "done"):
            what, number, whole = _GROWING[name]
            key = (said["output_index"], what, said.get(number, 0) if number else 0)
            text = said["delta"] if step == "delta" else self._rest(key, said[whole])
            yield from self._grown(key, text)
        elif kind == "response.output_item.added":
            yield from self._begin(said["output_index"], said["item"])
        elif kind == "response.output_item.done":
            yield from self._complete(said["output_index"], said["item"])
        elif kind == "response.created":
            self._model = said["response"].get("model")
        elif kind in _ENDS:
            yield from self._end(kind, said["response"])

    def _grown(self, key: _Key, text: str) -> Iterator[dict[str, Any]]:
        """A part that got longer; nothing if it did not."""
        if not text:
            return
        self._passed_on[key] = self._passed_on.get(key, 0) + len(text)
        at, what, _ = key
        match what:
            case "text":
                is_another = self._spoke not in (None, at)
                self._spoke = at
                yield {"text": BREAK + text if is_another else text}
            case "refusal":
                yield {"refusal": text}
            case "arguments":
                yield {"tool_calls": (self._calls.delta(Piece(at, arguments=text)),)}
            case _:
                yield {"reasoning": (self._thought(key, text),)}

    def _rest(self, key: _Key, whole: str) -> str:
        return whole[self._passed_on.get(key, 0) :]

    def _thought(self, key: _Key, text: str) -> Reasoning:
        """Its first piece says whose it is; clients that join all texts would repeat the rest."""
        _, what, part = key
        kind = "reasoning.summary" if what == "summary" else "reasoning.text"
        if key in self._blocks:
            return Reasoning(text, extra={"type": kind, "index": self._blocks[key]})
        return Reasoning(BREAK + text if part else text, extra=self._marks(key, kind))

    def _marks(self, key: _Key, kind: str) -> dict[str, Any]:
        number = self._blocks[key] = len(self._blocks)
        return {"type": kind, "index": number, "format": FORMAT, "issuer": self._issuer}

    def _begin(self, at: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if item["type"] in _CALLS and at not in self._begun:
            self._begun.add(at)
            extra = {"type": "custom"} if item["type"] == "custom_tool_call" else {}
            piece = Piece(at, item["call_id"], item["name"], extra=extra)
            yield {"tool_calls": (self._calls.delta(piece),)}

    def _complete(self, at: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Whatever of an item did not come in pieces."""
        self._items[at] = item
        yield from self._begin(at, item)
        for key, whole in _parts(at, item):
            yield from self._grown(key, self._rest(key, whole))
        if item["type"] == "reasoning" and item.get("encrypted_content"):
            # Only now it is whole, as is the ID that belongs to it.
            marks = self._marks((at, "seal", 0), "reasoning.encrypted")
            marks |= {"id": item["id"]} if item.get("id") else {}
            yield {"reasoning": (Reasoning(redacted=item["encrypted_content"], extra=marks),)}

    def _end(self, kind: str, response: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if kind == "response.failed":
            raise self._failure(response.get("error"))
        if not self._items:
            for at, item in enumerate(response.get("output") or ()):
                yield from self._complete(at, item)
        self._model = response.get("model") or self._model
        tier = response.get("service_tier")
        calls = tuple(self._calls.completed())
        yield {
            **self._finish(kind, mapping(response.get("incomplete_details")).get("reason")),
            "tool_calls": calls,
            "usage": _usage(response.get("usage")),
            "frame": {"service_tier": tier} if tier else {},
        }
        self.is_done = True

    def _finish(self, kind: str, reason: str | None) -> dict[str, Any]:
        extra = self._kept()
        finish: FinishReason = "tool_calls" if self._calls else "stop"
        if kind == "response.incomplete":
            finish = _INCOMPLETE.get(reason or "", "length")
            if reason not in _INCOMPLETE:
                extra["native_finish_reason"] = reason or "incomplete"
        return {"finish_reason": finish, "extra": extra}

    def _kept(self) -> dict[str, Any]:
        """What is wanted back, and which our messages have no place for."""
        items = [self._items[at] for at in sorted(self._items)]
        order = [item["type"] for item in items]
        messages = [item for item in items if item["type"] == "message"]
        thoughts = [kind for kind in order if kind == "reasoning"]
        calls = [kind for kind in order if kind in _CALLS]
        if len(messages) > 1 or order != [*thoughts, *("message" for _ in messages), *calls]:
            return {VERBATIM: {"issuer": self._issuer, "items": items}}
        phase = messages[0].get("phase") if messages else None
        return {PHASE: phase} if isinstance(phase, str) else {}

    def _failure(self, error: object) -> GatewayError:
        """Here an error has no status, and codes of its own."""
        said = dict(mapping(error)) or {"message": "the answer failed, and no reason is given"}
        code = str(said.get("code"))
        if code in _OF_POLICY:
            said["reason"] = "content_policy_violation"
        elif code.startswith(_OF_THE_REQUEST) and code != "invalid_api_key":
            said["status"] = 400
        return error_inside({"error": said}, who=self._who, clock=self._clock)


def _parts(at: int, item: Json) -> Iterator[tuple[_Key, str]]:
    kind = item["type"]
    if kind in _CALLS:
        yield (at, "arguments", 0), item.get(_CALLS[kind]) or ""
    if kind == "reasoning":
        for number, part in enumerate(item.get("summary") or ()):
            yield (at, "summary", number), part["text"]
        for number, part in enumerate(item.get("content") or ()):
            yield (at, "thought", number), part["text"]
    if kind == "message":
        for number, part in enumerate(item["content"]):
            what = "refusal" if part["type"] == "refusal" else "text"
            yield (at, what, number), part[what]


def _usage(raw: object) -> Usage | None:
    """The counts of chat completions, by other names."""
    said = mapping(raw)
    if not said:
        return None
    names = {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "input_tokens_details": "prompt_tokens_details",
        "output_tokens_details": "completion_tokens_details",
    }
    return usage_of({names.get(name, name): said[name] for name in said})

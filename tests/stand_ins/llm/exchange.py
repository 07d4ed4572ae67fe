"""One chat request to a stand-in and its answer, sent in pieces while the client stays."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from tests.stand_ins.llm.account import Bill
from tests.stand_ins.llm.frames import Frame, cut
from tests.stand_ins.llm.script import Answer, Refusal

if TYPE_CHECKING:
    from tests.stand_ins.llm.server import LlmStandIn, SpokenWire


@dataclass(slots=True)
class Received:
    """A request as it came. `has_left` says that the client went before the end."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    bill: Bill | None = None
    has_left: bool = False
    is_over: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


class Exchange:
    def __init__(self, stand_in: "LlmStandIn", scope: Scope, receive: Receive, send: Send) -> None:
        self._stand_in = stand_in
        self._scope = scope
        self._receive = receive
        self._send = send
        self._gone: asyncio.Task[None] | None = None
        self._received: Received | None = None

    async def run(self) -> None:
        body = json.loads(await self._whole_body() or b"{}")
        headers = {name.decode(): value.decode() for name, value in self._scope["headers"]}
        self._received = received = Received(self._scope["path"], headers, body)
        await self._stand_in.record(received)
        self._gone = asyncio.create_task(self._watch(), name="the client of a stand-in")
        refusal = self._stand_in.refusal(headers, received.path) or self._not_included(received)
        refusal = refusal or self._stand_in.objection(received)
        reply = refusal or self._stand_in.reply(received.model, body)
        if reply.before_headers and await self._leaves_before(reply.before_headers):
            return
        if isinstance(reply, Refusal):
            await self._refuse(reply)
        elif body.get("stream", self._stand_in.kind == "ollama"):
            await self._stream(self._shortened(reply))
        else:
            await self._answer(self._shortened(reply))

    def end(self) -> None:
        if self._gone:
            self._gone.cancel()
        if self._received:
            self._received.is_over = True
            if self._received.bill:
                self._received.bill.is_final = True

    def _not_included(self, received: Received) -> Refusal | None:
        """What NanoGPT says where only the models of the subscription are served."""
        offer = self._stand_in.offers.get(received.model)
        if "/subscription/" not in received.path or (offer and offer.is_included):
            return None
        message = f"{received.model} is not included in the subscription"
        return Refusal(403, message, "invalid_request_error", "model_not_allowed")

    async def _whole_body(self) -> bytes:
        body = b""
        while True:
            message = await self._receive()
            part: bytes = message.get("body", b"")
            body += part
            if not message.get("more_body"):
                return body

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        assert self._received
        self._received.has_left = True
        self._received.left.set()

    async def _refuse(self, refusal: Refusal) -> None:
        assert self._received
        sent = self._received.headers.get("authorization") or self._received.headers.get(
            "x-api-key", self._received.headers.get("api-key", "")
        )
        message = f"{refusal.message}: {sent}" if refusal.echoes_key else refusal.message
        body = refusal.body
        if body is None:
            body = self._stand_in.wire.error(refusal, message)
        headers = {"content-type": "application/json", **(refusal.headers or {})}
        if refusal.retry_after is not None:
            headers["retry-after"] = refusal.retry_after
        await self._start(200 if refusal.inside_200 else refusal.status, headers)
        await self._put(body, more=False)

    def _shortened(self, answer: Answer) -> Answer:
        """No more words than the request allows."""
        assert self._received
        body = self._received.body
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        most = most or body.get("max_output_tokens")
        most = most or (body.get("options") or {}).get("num_predict")
        words = answer.words()
        if not most or len(words) <= most:
            return answer
        return replace(answer, pieces=words[:most], finish="length")

    async def _answer(self, answer: Answer) -> None:
        assert self._received
        bill = self._stand_in.begin_bill(answer, self._received)
        wire = self._stand_in.wire_at(self._received.path)
        for frame in wire.frames(answer, bill, self._received.body):
            _count(frame, bill)
        body = wire.whole(answer, bill)
        await self._start(200, {"content-type": "application/json", **_marks(bill)})
        await self._put(body, more=False)

    async def _stream(self, answer: Answer) -> None:
        assert self._received
        bill = self._stand_in.begin_bill(answer, self._received)
        wire = self._stand_in.wire_at(self._received.path)
        await self._start(200, {"content-type": wire.content_type, **_marks(bill)})
        ended = await self._pieces(wire, answer, bill=bill)
        if self._received.has_left or ended == "abort":
            # To return in the middle of an answer makes uvicorn close the connection.
            return
        if ended == "error":
            bill.is_waived = bill.tokens.output == 0
            for frame in wire.error_frames(bill):
                await self._put(frame.data)
        await self._put(b"", more=False)

    async def _pieces(self, wire: "SpokenWire", answer: Answer, *, bill: Bill) -> str:
        """Send what is to be sent, and say how it ended."""
        assert self._received
        sent = 0
        held = False
        for frame in wire.frames(answer, bill, self._received.body):
            if answer.ends == "no_done" and frame.is_end:
                break
            if not held and sent == answer.hold_after:
                held = True
                await self._hold(answer)
            if answer.ends not in ("properly", "no_done") and sent == (answer.ends_after or 0):
                return answer.ends
            if answer.delay_seconds and frame.tokens:
                await asyncio.sleep(answer.delay_seconds)
            if self._received.has_left:
                break
            for piece in cut(frame.data, answer.bytes_at_once):
                await self._put(piece)
            _count(frame, bill)
            sent += frame.tokens
        return "properly"

    async def _hold(self, answer: Answer) -> None:
        # Never set, it waits until the client leaves.
        gate = answer.hold or asyncio.Event()
        while not await self._leaves_before(gate, seconds=answer.keepalive_seconds):
            if gate.is_set():
                return
            await self._put(self._stand_in.wire.comment)

    async def _leaves_before(self, gate: asyncio.Event, *, seconds: float | None = None) -> bool:
        assert self._gone
        waiting = asyncio.create_task(gate.wait(), name="a stand-in's gate")
        await asyncio.wait(
            {waiting, self._gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        return self._gone.done()

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _put(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _marks(bill: Bill) -> dict[str, str]:
    return {"x-generation-id": bill.id, "x-request-id": f"req-{bill.id}"}


def _count(frame: Frame, bill: Bill) -> None:
    bill.tokens.output += frame.tokens
    bill.tokens.reasoning += frame.tokens if frame.is_reasoning else 0

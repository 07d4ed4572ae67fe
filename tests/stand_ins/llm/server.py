"""A provider of language models that says what a script tells it to, over real HTTP.

It speaks as one kind of provider does, on that provider's own paths: nanogpt, openrouter, openai,
azure, vertex, lmstudio, ollama, anthropic. OpenAI and Azure have the Responses API too. Use it so:

    async def test_the_second_call_is_answered() -> None:
        async with LlmStandIn("openrouter") as stand_in:
            stand_in.script("small", rate_limited("1"), Answer(tokens=5))
            ...                             # call `stand_in.base_url` twice, for "small"
            assert stand_in.requests[0].body["messages"]
            assert stand_in.billed_microusd == stand_in.requests[1].bill.microusd

`script` gives the next replies for a model (`"*"`: any), one each; when they are used up, the
stand-in answers plainly. `always` sets that plain reply. A reply is an `Answer`, a `Refusal`, or
a function of the request's body that gives one; `script.py` has ready-made ones.

A request is billed from the moment its headers go out: its input, and a token for each piece
that was sent, also when the client leaves or the answer breaks (but nothing if it says itself
that it failed before the first piece). `bill.is_final` says that there
will be no more, and `await stand_in.rests()` waits until that is so for all of them. The client
of a test leaves at an exact place by `hold_after`:

    gate = asyncio.Event()
    stand_in.script("small", Answer(tokens=9, hold_after=3, hold=gate))
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tests.stand_ins.http_server import serve
from tests.stand_ins.llm.account import Bill, Offer, Tokens
from tests.stand_ins.llm.accounts import account_routes
from tests.stand_ins.llm.anthropic_wire import AnthropicWire
from tests.stand_ins.llm.exchange import Exchange, Received
from tests.stand_ins.llm.google import GoogleTokens
from tests.stand_ins.llm.ollama_wire import OllamaWire
from tests.stand_ins.llm.openai_wire import OpenAIWire
from tests.stand_ins.llm.places import BASE_PATHS, CHAT_PATHS, KEY_HEADERS, RESPONSES_PATHS
from tests.stand_ins.llm.responses_wire import ResponsesWire
from tests.stand_ins.llm.script import Answer, Refusal, Reply, Scripted, key_refused

Wire = OpenAIWire | AnthropicWire | OllamaWire
SpokenWire = Wire | ResponsesWire

OFFERS = (
    Offer("small", has_vision=True),
    Offer("large"),
    Offer("included", is_included=True),
)


class LlmStandIn:
    """`key` is demanded where the provider wants it; without one every key will do."""

    def __init__(
        self, kind: str = "openai", *, offers: Iterable[Offer] = OFFERS, key: str | None = None
    ) -> None:
        self.kind = kind
        self.key = key
        self.offers = {offer.name: offer for offer in offers}
        self.wire = _wire(kind)
        self.requests: list[Received] = []
        self.bills: list[Bill] = []
        # What `/usage`, `/key` and the lists answer instead of the usual, by path.
        self.answers: dict[str, Any] = {}
        self.tokens = GoogleTokens()
        self.seals: set[str] = set()
        self._scripts: dict[str, deque[Scripted]] = defaultdict(deque)
        self._always: dict[str, Scripted] = {}
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()
        self.url = ""
        self.app = Starlette(routes=account_routes(self, [(p, self._chat) for p in self.paths]))

    async def __aenter__(self) -> Self:
        self.url = await self._stack.enter_async_context(serve(self.app))
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._stack.aclose()

    @property
    def base_url(self) -> str:
        """As a user would configure it, such as `http://127.0.0.1:40123/api/v1`."""
        return self.url + BASE_PATHS[self.kind]

    @property
    def paths(self) -> tuple[str, ...]:
        return CHAT_PATHS[self.kind] + RESPONSES_PATHS.get(self.kind, ())

    @property
    def billed_microusd(self) -> int:
        return sum(bill.microusd for bill in self.bills)

    def script(self, model: str, *replies: Scripted) -> None:
        self._scripts[model].extend(replies)

    def always(self, model: str, reply: Scripted) -> None:
        self._always[model] = reply

    async def has_received(self, count: int) -> Received:
        """Wait for the request of this number, counted from 1."""
        await self._until(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def rests(self) -> None:
        """Wait until every request that came is over, and its bill final."""
        await self._until(lambda: all(request.is_over for request in self.requests))

    def refusal(self, headers: Mapping[str, str], path: str) -> Refusal | None:
        """Why a request with these headers is not served, if it is not."""
        sent = headers.get(KEY_HEADERS[self.kind], "").removeprefix("Bearer ")
        if self.kind == "vertex":
            return None if self.tokens.are_good(sent) else key_refused()
        return key_refused() if self.key and sent != self.key else None

    def wire_at(self, path: str) -> SpokenWire:
        """How it speaks there."""
        is_responses = path in RESPONSES_PATHS.get(self.kind, ())
        return ResponsesWire(self.seals) if is_responses else self.wire

    def objection(self, received: Received) -> Refusal | None:
        """What is wrong with the request itself, if anything is."""
        wire = self.wire_at(received.path)
        if isinstance(wire, OpenAIWire | ResponsesWire):
            return wire.objection(received.body)
        return None

    def reply(self, model: str, body: Mapping[str, Any]) -> Reply:
        """What the script says next."""
        for name in (model, "*"):
            if self._scripts[name]:
                return _said(self._scripts[name].popleft(), body)
        return _said(self._always.get(model) or self._always.get("*") or Answer(), body)

    def begin_bill(self, answer: Answer, received: Received) -> Bill:
        offer = self.offers.get(received.model) or Offer(received.model)
        letters = len(str(received.body.get("messages") or received.body.get("input", "")))
        given = answer.input_tokens
        tokens = Tokens(
            input=max(letters // 4, 1) if given is None else given,
            cached=answer.cached_tokens,
            cache_write=answer.cache_write_tokens,
        )
        bill = Bill(
            id=f"gen-{len(self.bills) + 1}",
            offer=offer,
            tokens=tokens,
            is_covered=self.kind == "nanogpt" and offer.is_included,
            cost_usd=answer.cost_usd,
        )
        self.bills.append(bill)
        received.bill = bill
        return bill

    async def record(self, received: Received) -> None:
        self.requests.append(received)
        await self._tell()

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self, scope, receive, send)
        try:
            await exchange.run()
        finally:
            exchange.end()
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(holds)


def _said(scripted: Scripted, body: Mapping[str, Any]) -> Reply:
    return scripted if isinstance(scripted, Answer | Refusal) else scripted(body)


def _wire(kind: str) -> Wire:
    if kind == "anthropic":
        return AnthropicWire()
    return OllamaWire() if kind == "ollama" else OpenAIWire(kind)


AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

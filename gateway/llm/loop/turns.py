"""The rounds of one answer: a model speaks, its calls run, and it goes on with their results."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import fields, replace
from typing import Any

from gateway.llm.answering import Answering
from gateway.llm.gathering import Gathering
from gateway.llm.loop.offered import Offered
from gateway.llm.loop.piece import CallBegun, CallEnded, Piece, Round
from gateway.llm.loop.results import allowed_calls, last_calls, made_before, result
from gateway.llm.loop.running import Calls
from gateway.llm.loop.showing import Showing
from gateway.llm.messages import (
    ChatRequest,
    Chunk,
    FinishReason,
    Message,
    ToolCall,
    ToolChoice,
    Usage,
)
from gateway.llm.model import Model, Tier

Ask = Callable[[ChatRequest, Model | None, AsyncExitStack], Awaitable[Answering]]

# Only after these is a call whole; one that was cut off is not made.
_WHOLE = ("tool_calls", "stop")
# What OpenAI and Anthropic take as the name of a tool.
_UNSENDABLE = re.compile(r"[^A-Za-z0-9_-]")
_MOST_LETTERS = 64


class Turns:
    """An answer of one or more rounds; iterate over its pieces once.

    Its chunks are what a client should see: the texts of all rounds, only those tool calls that
    go back to the caller, and one finish reason, at the end. Once the iteration ends, `rounds`,
    `usage` and `cost_microusd` (None is not known) are final, `pending` holds the calls that went
    back, `messages` is what the models and tools added to the conversation, and `history` all of
    it. The last two are kept only if tools were offered, or it `is_kept`.
    """

    def __init__(
        self,
        ask: Ask,
        request: ChatRequest,
        *,
        offered: Offered,
        calls: Calls | None,
        most_rounds: int,
        is_kept: bool,
    ) -> None:
        self.offered = offered
        self.rounds: list[Round] = []
        self.messages: list[Message] = []
        self.pending: Sequence[ToolCall] = ()
        self._ask = ask
        self._request = request
        self._calls = calls
        self._most_rounds = most_rounds
        self._is_kept = is_kept
        self._stack = AsyncExitStack()
        self._ready: list[Piece] = []
        self._first: Answering | None = None
        self._answering: Answering | None = None
        self._said = Message("assistant")
        self._pieces = self._run()

    @property
    def model(self) -> Model:
        return self._begun.model

    @property
    def provider(self) -> str:
        return self._begun.provider

    @property
    def tier(self) -> Tier:
        return self._begun.tier

    @property
    def route_id(self) -> str:
        return self._begun.route_id

    @property
    def attempts(self) -> int:
        return self._begun.attempts

    @property
    def warnings(self) -> Sequence[str]:
        return self._begun.warnings

    @property
    def quota_remaining(self) -> int | None:
        return (self._answering or self._begun).quota_remaining

    @property
    def usage(self) -> Usage:
        return _summed([one.usage for one in self.rounds])

    @property
    def cost_microusd(self) -> int | None:
        known = [one.cost_microusd for one in self.rounds if one.cost_microusd is not None]
        return sum(known) if known and len(known) == len(self.rounds) else None

    @property
    def has_written(self) -> bool:
        """Whether a tool was called that may have changed something."""
        return self._calls is not None and self._calls.have_written

    @property
    def history(self) -> Sequence[Message]:
        return self._request.messages

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces

    def unanswered(self, approved: frozenset[str]) -> Sequence[ToolCall]:
        """Those of the calls at the end of the messages that are approved, and have no result."""
        return allowed_calls(self._request.messages, approved)

    async def begin(self, allowed: Mapping[str, bool]) -> None:
        """Run the calls that the caller has allowed meanwhile, and wait for the first piece.

        `allowed` says of each whether it may run; those that ran before only get an answer.
        """
        if self._calls is not None and allowed:
            calls = self.unanswered(frozenset(allowed))
            ended: dict[str, Message] = {
                call.id: made_before(call) for call in calls if not allowed[call.id]
            }
            made = [call for call in calls if allowed[call.id]]
            async for piece in self._calls.run(made, number=0):
                self._ready.append(piece)
                if isinstance(piece, CallEnded):
                    ended[piece.call.id] = result(piece)
            self._answer_allowed([ended[call.id] for call in calls])
        await self._open()

    async def close(self) -> None:
        try:
            await self._pieces.aclose()
        finally:
            await self._stack.aclose()

    @property
    def _begun(self) -> Answering:
        assert self._first is not None
        return self._first

    @property
    def _is_last(self) -> bool:
        """Whether the round that begins now must be the last, because no call may follow it."""
        if self._calls is None or self._request.tool_choice == ToolChoice("none"):
            return True
        is_spent = self._calls.are_used_up or self._calls.were_in_vain
        return len(self.rounds) >= self._most_rounds - 1 or is_spent

    async def _run(self) -> AsyncGenerator[Piece, None]:
        for piece in self._ready:
            yield piece
        rounds: AsyncGenerator[Piece, None]
        rounds = self._plain() if self._calls is None else self._with_tools(self._calls)
        async with aclosing(rounds):
            async for piece in rounds:
                yield piece

    async def _plain(self) -> AsyncGenerator[Piece, None]:
        """One round, as it comes."""
        assert self._answering is not None
        gathering = Gathering()
        async for chunk in self._answering:
            if self._is_kept:
                gathering.add(chunk)
            yield chunk
        await self._close_round()
        if gathering.answers:
            said = gathering.answers[0].message
            self.pending = said.tool_calls
            self._add(said)

    async def _with_tools(self, calls: Calls) -> AsyncGenerator[Piece, None]:
        showing = Showing(self.offered)
        while True:
            is_last = self._is_last
            # Text of earlier rounds would spoil an answer that is to be JSON.
            showing.holds_text = self._request.answer_format is not None and not is_last
            async with aclosing(self._spoken(showing, is_last=is_last)) as spoken:
                async for chunk in spoken:
                    yield chunk
            ours, theirs = self._sorted(showing)
            # In the model's own order: some providers sign the first one for all.
            made = theirs if is_last or not ours else self._said.tool_calls
            self._add(replace(self._said, tool_calls=tuple(made)))
            if not is_last:
                async with aclosing(self._called(calls, ours)) as called:
                    async for piece in called:
                        yield piece
            if theirs or is_last or not ours:
                break
            showing.next_round()
            await self._open()
        self.pending = theirs
        finish = _finish(showing.finish_reason, are_cut=bool(ours), are_pending=bool(theirs))
        for chunk in showing.rest(finish):
            yield chunk

    async def _spoken(self, showing: Showing, *, is_last: bool) -> AsyncGenerator[Chunk, None]:
        """What the model says in the round that is open, and lets a client see."""
        assert self._answering is not None
        gathering = Gathering()
        async for chunk in self._answering:
            gathering.add(chunk)
            for shown in showing.shown(chunk):
                yield shown
            # Where rounds follow, the line of this one is written beside them.
            self._answering.waits_for_ledger = is_last or not showing.goes_on
        answers = gathering.answers
        said = answers[0].message if answers else Message("assistant")
        calls = tuple(map(self._sendable, said.tool_calls))
        self._said = replace(said, tool_calls=calls)
        # Before its calls run: they may take long, and its place is for others.
        await self._close_round()

    async def _called(
        self, calls: Calls, made: Sequence[ToolCall]
    ) -> AsyncGenerator[CallBegun | CallEnded, None]:
        ended: dict[str, CallEnded] = {}
        broken_before = calls.broken
        async with aclosing(calls.run(made, number=len(self.rounds))) as said:
            async for piece in said:
                if isinstance(piece, CallEnded):
                    ended[piece.call.id] = piece
                yield piece
        if self._answering is not None:
            self._answering.broke_calls(calls.broken - broken_before)
        # In the order in which they were asked for, whichever ended first.
        in_order = tuple(ended[call.id] for call in made if call.id in ended)
        self.rounds[-1] = replace(self.rounds[-1], calls=in_order)
        for one in in_order:
            self._add(result(one))

    def _sorted(self, showing: Showing) -> tuple[Sequence[ToolCall], Sequence[ToolCall]]:
        """The calls that are ours to answer, and those that go back to the caller."""
        if showing.finish_reason not in _WHOLE:
            return (), ()
        calls = self._said.tool_calls
        ours = [call for call in calls if self.offered.is_ours(call.name)]
        return ours, [call for call in calls if not self.offered.is_ours(call.name)]

    def _sendable(self, call: ToolCall) -> ToolCall:
        """A name that the model made up, such as `functions.search`, no provider takes back."""
        if call.name in self.offered.by_name or not self.offered.is_ours(call.name):
            return call
        name = _UNSENDABLE.sub("_", call.name)[:_MOST_LETTERS]
        return replace(call, name=name or "unnamed")

    async def _open(self) -> None:
        if self._answering is not None:
            # What the last round held could be missing for this one.
            await self._answering.written()
        prefer = self._answering.model if self._answering else None
        self._answering = await self._ask(self.next_request(), prefer, self._stack)
        if self._first is None:
            self._first = self._answering
            self._make_room(self._first.model)

    def _make_room(self, model: Model) -> None:
        """Results may fill half of the model's window, at two characters a token at the least."""
        if self._calls is not None and model.context_tokens:
            self._calls.room = model.context_tokens

    def next_request(self) -> ChatRequest:
        """The tools stay to the end: without them some models write their calls into the text."""
        if self._calls is None:
            return self._request
        tools = (*self._request.tools, *(one.definition for one in self.offered.tools))
        request = replace(self._request, tools=tools)
        if self._is_last:
            return replace(request, tool_choice=ToolChoice("none"))
        if (
            self.rounds
            and request.tool_choice
            and request.tool_choice.mode in ("required", "named")
        ):
            # It has called what it was made to call; made to call again, it would never end.
            return replace(request, tool_choice=ToolChoice("auto"))
        return request

    async def _close_round(self) -> None:
        answering = self._answering
        assert answering is not None
        await self._stack.aclose()
        self.rounds.append(
            Round(
                answering.model,
                answering.route_id,
                answering.attempts,
                answering.usage or Usage(),
                answering.cost_microusd,
            )
        )

    def _add(self, message: Message) -> None:
        self.messages.append(message)
        self._request = replace(self._request, messages=(*self._request.messages, message))

    def _answer_allowed(self, results: Sequence[Message]) -> None:
        """Right behind the calls and what else answers them: providers take them nowhere else."""
        messages = list(self._request.messages)
        place = last_calls(messages) + 1
        while place < len(messages) and messages[place].role == "tool":
            place += 1
        messages[place:place] = results
        self._request = replace(self._request, messages=tuple(messages))


def _finish(said: FinishReason | None, *, are_cut: bool, are_pending: bool) -> FinishReason | None:
    """`are_cut` is whether the model still called tools where none could be called any more."""
    if are_pending:
        return "tool_calls"
    return "length" if are_cut else said


_COUNTS = tuple(one.name for one in fields(Usage) if one.name.endswith("_tokens"))


def _summed(usages: Sequence[Usage]) -> Usage:
    if len(usages) == 1:
        return usages[0]
    counts: dict[str, Any] = {name: sum(getattr(one, name) for one in usages) for name in _COUNTS}
    return Usage(**counts)

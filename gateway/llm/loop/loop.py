"""A completion that may use tools: models answer, their calls run here, and they go on."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.approvals import Approvals
from gateway.caller import Caller
from gateway.clock import now
from gateway.errors import InvalidRequest
from gateway.llm.answering import Answering
from gateway.llm.completion import NO_HINTS, Completion, Hints
from gateway.llm.loop.offered import NOTHING, offered
from gateway.llm.loop.running import Calls, CallSettings
from gateway.llm.loop.turns import Turns
from gateway.llm.loop.wish import NO_TOOLS, Wish
from gateway.llm.messages import ChatRequest
from gateway.llm.model import Model
from gateway.tools.toolbox import Toolbox

MOST_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class LoopSettings:
    most_rounds: int = MOST_ROUNDS
    calls: CallSettings = field(default_factory=CallSettings)


class ToolLoop:
    """Answers of models that may call the tools of their caller, as far as a request wishes it."""

    def __init__(
        self,
        completion: Completion,
        toolbox_of: Callable[[Caller], Toolbox],
        approvals: Approvals,
        settings: LoopSettings | None = None,
    ) -> None:
        self._completion = completion
        self._toolbox_of = toolbox_of
        self._approvals = approvals
        self._settings = settings or LoopSettings()

    @asynccontextmanager
    async def answering(
        self,
        who: Caller,
        request: ChatRequest,
        hints: Hints = NO_HINTS,
        wish: Wish = NO_TOOLS,
        *,
        is_kept: bool = False,
    ) -> AsyncIterator[Turns]:
        """The answer, once its first piece is there; `is_kept` has its `messages` gathered.

        Whoever leaves the block early ends the model's call and those of tools.

        Raises:
            InvalidRequest: it wishes for a tool that the caller does not have.
            GatewayError: as `Completion.answering`, before anything was said.
        """
        wish = wish.or_usual(who)
        turns = await self._turns(who, request, hints, wish, is_kept)
        if wish.approved:
            self._check(who, turns.next_request(), hints)
        try:
            await turns.begin(await self._first_used(who, turns, wish.approved))
            yield turns
        except Exception as error:
            if turns.has_written:
                # Also of what nobody expected: clients ask again after an error 500, too.
                error.is_repeatable = False  # type: ignore[attr-defined]  # any error takes it
            raise
        finally:
            await turns.close()

    async def _first_used(
        self, who: Caller, turns: Turns, approved: frozenset[str]
    ) -> Mapping[str, bool]:
        """The calls that may run now, each with whether it is allowed for the first time.

        One that only reads may run again.
        """
        calls = turns.unanswered(approved)
        return {
            call.id: turns.offered.only_reads(call.name)
            or await self._approvals.use(who.name, call.id)
            for call in calls
        }

    def _check(self, who: Caller, request: ChatRequest, hints: Hints) -> None:
        """Nothing may run for an answer that no model can give: it would run again next time."""
        route = self._completion.plan(who, request, hints)
        if (refusal := route.error(now())) is not None:
            raise refusal

    async def _turns(
        self, who: Caller, request: ChatRequest, hints: Hints, wish: Wish, is_kept: bool
    ) -> Turns:
        async def ask(
            request: ChatRequest, prefer: Model | None, stack: AsyncExitStack
        ) -> Answering:
            answering = self._completion.answering(who, request, hints, prefer=prefer)
            return await stack.enter_async_context(answering)

        if not wish.offers:
            return Turns(ask, request, offered=NOTHING, calls=None, most_rounds=1, is_kept=is_kept)
        if request.choices != 1:
            raise InvalidRequest(
                f"n: {request.choices} answers cannot use tools at once; ask for 1"
            )
        toolbox = self._toolbox_of(who)
        chosen = offered(await toolbox.tools(), wish, request)
        calls = Calls(toolbox, chosen, _bounded(self._settings.calls, wish, request))
        most_rounds = self._settings.most_rounds
        return Turns(
            ask, request, offered=chosen, calls=calls, most_rounds=most_rounds, is_kept=is_kept
        )


def _bounded(settings: CallSettings, wish: Wish, request: ChatRequest) -> CallSettings:
    """A caller may ask for fewer calls, or for one at a time, never for more."""
    if request.parallel_tool_calls is False:
        # Not every model keeps to it.
        settings = replace(settings, most_at_once=1)
    if wish.most_calls is None:
        return settings
    return replace(settings, most_calls=min(wish.most_calls, settings.most_calls))

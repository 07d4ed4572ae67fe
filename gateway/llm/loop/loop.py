"""A completion that may use tools: models answer, their calls run here, and they go on."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.caller import Caller
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
        settings: LoopSettings | None = None,
    ) -> None:
        self._completion = completion
        self._toolbox_of = toolbox_of
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
        try:
            await turns.begin(wish.approved)
            yield turns
        finally:
            await turns.close()

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
        calls = Calls(toolbox, chosen, _bounded(self._settings.calls, wish))
        most_rounds = self._settings.most_rounds
        return Turns(
            ask, request, offered=chosen, calls=calls, most_rounds=most_rounds, is_kept=is_kept
        )


def _bounded(settings: CallSettings, wish: Wish) -> CallSettings:
    """A caller may ask for fewer calls, never for more."""
    if wish.most_calls is None:
        return settings
    return replace(settings, most_calls=min(wish.most_calls, settings.most_calls))

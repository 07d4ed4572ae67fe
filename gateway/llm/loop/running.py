"""Runs the calls of one round side by side, whatever becomes of each."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway import caller, idempotency, request_id
from gateway.cancellation import ended, is_cancelled
from gateway.errors import BadAnswer, GatewayError, InvalidRequest
from gateway.idempotency import keyed
from gateway.llm.loop.call_text import arguments_of, cut, meaning
from gateway.llm.loop.offered import Offered
from gateway.llm.loop.piece import CallBegun, CallEnded
from gateway.llm.messages import ToolCall
from gateway.text import displayable, shown
from gateway.tools.result import written
from gateway.tools.tool import Answer, Effect
from gateway.tools.toolbox import Toolbox

logger = logging.getLogger(__name__)

CALL_SECONDS = 30.0
MOST_AT_ONCE = 8
MOST_CALLS = 50
MOST_CHARACTERS = 50_000
LEAST_CHARACTERS = 1_000
# Asked again, a tool that reads may know something newer; one that writes would write twice.
MOST_ALIKE = {Effect.READ: 2}
_KEY_DIGITS = 16
_CANCELLED = "the tool was cancelled"

Said = CallBegun | CallEnded


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What bounds the calls of one answer."""

    seconds: float = CALL_SECONDS
    most_at_once: int = MOST_AT_ONCE
    most_calls: int = MOST_CALLS
    most_characters: int = MOST_CHARACTERS


class Calls:
    """The calls of one answer, over all its rounds; `are_used_up` once no more may be made.

    `were_in_vain` is whether the last round had none that could be made, and `have_written`
    whether one of them may have changed something. `room` is how many characters of results there
    is room for yet: once it is used up, of each only the beginning is passed on.
    """

    def __init__(self, toolbox: Toolbox, offered: Offered, settings: CallSettings) -> None:
        self._toolbox = toolbox
        self._offered = offered
        self._settings = settings
        self._alike: Counter[tuple[str, str]] = Counter()
        self._made = 0
        self.room: float = math.inf
        self.were_in_vain = False
        # Those whose arguments no tool took.
        self.broken = 0
        self.have_written = False

    @property
    def are_used_up(self) -> bool:
        return self._made >= self._settings.most_calls

    async def run(self, calls: Sequence[ToolCall], *, number: int) -> AsyncGenerator[Said, None]:
        """Each call as it begins and as it ends; whoever leaves early cancels those that run."""
        said: asyncio.Queue[Said] = asyncio.Queue()
        slots = asyncio.Semaphore(self._settings.most_at_once)
        self.were_in_vain = bool(calls)

        async def run_one(call: ToolCall) -> None:
            async with slots:
                label = self._label(call)
                said.put_nowait(CallBegun(number, call, label))
                ended = CallEnded(number, call, label, _CANCELLED, 0.0, error=_CANCELLED)
                try:
                    ended = await self._ended(call, number)
                finally:
                    # Whatever became of it: its end is waited for.
                    said.put_nowait(ended)

        running = [asyncio.create_task(run_one(one), name=f"tool {one.name}") for one in calls]
        try:
            for _ in range(2 * len(running)):
                yield await said.get()
        finally:
            await ended(*running)

    async def _ended(self, call: ToolCall, number: int) -> CallEnded:
        began = time.perf_counter()
        label = self._label(call)
        answer: Answer | None = None
        error: str | None = None
        is_quoted = False
        try:
            answer = await self._answer(call)
            output = self._fitting(displayable(written(answer)))
        except GatewayError as refusal:
            error, is_quoted = displayable(str(refusal)), isinstance(refusal, BadAnswer)
            self.broken += isinstance(refusal, InvalidRequest)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            error = _CANCELLED
        except (Exception, BaseExceptionGroup):
            # One tool that fails must not take the answer with it; the model is told.
            logger.exception("tool=%s failed", call.name)
            error = "the tool failed for a reason that only the gateway's log knows"
        if error is not None:
            error = output = cut(error, self._settings.most_characters)
            answer = None
        milliseconds = (time.perf_counter() - began) * 1000
        logger.info(
            "tool=%s server=%s outcome=%s milliseconds=%.1f characters=%d caller=%s request_id=%s",
            shown(call.name),
            label,
            "ok" if error is None else "failed",
            milliseconds,
            len(output),
            caller.current().name,
            request_id.current(),
        )
        return CallEnded(
            number, call, label, output, milliseconds, answer, error, is_quoted=is_quoted
        )

    def _fitting(self, text: str) -> str:
        most = min(self._settings.most_characters, max(self.room, LEAST_CHARACTERS))
        output = cut(text, int(most))
        self.room -= len(output)
        return output

    async def _answer(self, call: ToolCall) -> Answer:
        arguments = arguments_of(call)
        self._admit(call)
        self.were_in_vain = False
        with keyed(_own_key(call)):
            return await self._toolbox.call(
                call.name, arguments, deadline_seconds=self._settings.seconds
            )

    def _admit(self, call: ToolCall) -> None:
        """Raises:
        InvalidRequest: it would be one call too many.
        """
        if self.are_used_up:
            raise InvalidRequest(
                f"{self._settings.most_calls} calls were made, which is the most for one answer; "
                "answer with what is known"
            )
        offered = self._offered.get(call.name)
        if offered is None:
            names = ", ".join(self._offered.by_name)
            raise InvalidRequest(f"no tool is named {call.name[:60]!r}; there are: {names}")
        same = (call.name, meaning(call.arguments))
        if self._alike[same] >= MOST_ALIKE.get(offered.tool.effect, 1):
            raise InvalidRequest(
                f"{call.name} was called with exactly these arguments before; its result is above, "
                "and it is not called again"
            )
        self._alike[same] += 1
        self.have_written = self.have_written or offered.tool.effect is not Effect.READ
        self._made += 1

    def _label(self, call: ToolCall) -> str:
        offered = self._offered.get(call.name)
        return offered.label if offered else ""


def _own_key(call: ToolCall) -> str | None:
    """Of one call among those of an answer that is itself made under a key."""
    key = idempotency.current()
    if key is None:
        return None
    said = f"{call.name} {meaning(call.arguments)}"
    return f"{key}:{sha256(said.encode()).hexdigest()[:_KEY_DIGITS]}"

"""Runs the calls of one round side by side, whatever becomes of each."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError, InvalidRequest
from gateway.llm.loop.offered import Offered
from gateway.llm.loop.piece import CallBegun, CallEnded
from gateway.llm.messages import ToolCall
from gateway.text import displayable
from gateway.tools.result import written
from gateway.tools.tool import Answer, Effect
from gateway.tools.toolbox import Toolbox

logger = logging.getLogger(__name__)

CALL_SECONDS = 30.0
MOST_AT_ONCE = 8
MOST_CALLS = 50
MOST_CHARACTERS = 50_000
# Asked again, a tool that reads may know something newer; one that writes would write twice.
MOST_ALIKE = {Effect.READ: 2}

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

    `were_in_vain` is whether the last round had none that could be made.
    """

    def __init__(self, toolbox: Toolbox, offered: Offered, settings: CallSettings) -> None:
        self._toolbox = toolbox
        self._offered = offered
        self._settings = settings
        self._alike: Counter[tuple[str, str]] = Counter()
        self._made = 0
        self.were_in_vain = False

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
                said.put_nowait(CallBegun(number, call, self._label(call)))
                said.put_nowait(await self._ended(call, number))

        running = [asyncio.create_task(run_one(one), name=f"tool {one.name}") for one in calls]
        try:
            for _ in range(2 * len(running)):
                yield await said.get()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _ended(self, call: ToolCall, number: int) -> CallEnded:
        began = time.perf_counter()
        label = self._label(call)
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = await self._answer(call)
            output = _cut(displayable(written(answer)), self._settings.most_characters)
        except GatewayError as refusal:
            error = displayable(str(refusal))
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            error = "the tool was cancelled"
        except Exception:
            # One tool that fails must not take the answer with it; the model is told.
            logger.exception("tool=%s failed", call.name)
            error = "the tool failed for a reason that only the gateway's log knows"
        if error is not None:
            error = output = _cut(error, self._settings.most_characters)
            answer = None
        milliseconds = (time.perf_counter() - began) * 1000
        return CallEnded(number, call, label, output, milliseconds, answer, error)

    async def _answer(self, call: ToolCall) -> Answer:
        arguments = _arguments(call)
        self._admit(call, arguments)
        self.were_in_vain = False
        return await self._toolbox.call(
            call.name, arguments, deadline_seconds=self._settings.seconds
        )

    def _admit(self, call: ToolCall, arguments: dict[str, object]) -> None:
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
        same = (call.name, json.dumps(arguments, sort_keys=True))
        if self._alike[same] >= MOST_ALIKE.get(offered.tool.effect, 1):
            raise InvalidRequest(
                f"{call.name} was called with exactly these arguments before; its result is above, "
                "and it is not called again"
            )
        self._alike[same] += 1
        self._made += 1

    def _label(self, call: ToolCall) -> str:
        offered = self._offered.get(call.name)
        return offered.label if offered else ""


def _arguments(call: ToolCall) -> dict[str, object]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the arguments of {call.name} are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise InvalidRequest(f"the arguments of {call.name} must be a JSON object")
    return arguments


def _is_cancelled() -> bool:
    """Whether we are, and not something that the tool waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[Cut here: {len(text):,} characters in all; ask for less.]"

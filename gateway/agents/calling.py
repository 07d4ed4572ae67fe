"""One call of a tool by an agent: made, proposed to people, or refused, and always answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway import caller, request_id
from gateway.agents.agent import Agent
from gateway.agents.event import Event
from gateway.agents.moves import Call
from gateway.agents.own_tools import DELEGATE, PROPOSE, PUBLISH, OwnTools
from gateway.agents.run import Run, Step
from gateway.agents.steps import result_of
from gateway.agents.suggestion import Suggestion
from gateway.caller import Caller
from gateway.cancellation import is_cancelled
from gateway.clock import Clock
from gateway.errors import GatewayError, InvalidRequest, NotFound, OutcomeUnknown
from gateway.idempotency import keyed
from gateway.llm.loop.call_text import arguments_of, cut
from gateway.llm.loop.offered import Offered, offered
from gateway.llm.loop.wish import Offer, Wish
from gateway.llm.messages import ChatRequest, ToolDefinition
from gateway.text import displayable
from gateway.tools.arguments import check_arguments
from gateway.tools.result import written
from gateway.tools.tool import Effect
from gateway.tools.toolbox import Toolbox

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 20_000
MADE, PROPOSED = "ok", "proposed"

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Acting:
    """Who calls, in which run and for which event, under which key."""

    agent: Agent
    run: Run
    event: Event
    key: str


@dataclass(frozen=True, slots=True)
class Hands:
    """What agents do beside calling tools; each does it once for each key."""

    propose: Callable[[Acting, Arguments], Awaitable[Suggestion]]
    delegate: Callable[[Acting, str, str], Awaitable[str]]
    publish: Callable[[Acting, Arguments], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Calling:
    toolbox_of: Callable[[Caller], Toolbox]
    hands: Hands
    clock: Clock

    async def definitions(self, agent: Agent) -> Sequence[ToolDefinition]:
        """The tools that its model is told of."""
        caller.begin(agent.caller)
        own = OwnTools.of(agent).by_name
        others = await self._offered(agent)
        return [
            *own.values(),
            *(one.definition for one in others.tools if one.tool.name not in own),
        ]

    async def call(self, acting: Acting, step: Step, move: Call) -> Step:
        """The step with what came of it: a failure is told to the model, and does not end a run."""
        caller.begin(acting.agent.caller)
        request_id.begin_run(acting.run.id)
        try:
            text, outcome = await self._made(acting, move)
        except GatewayError as error:
            text, outcome = str(error), error.code
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            text, outcome = "the tool was cancelled", "cancelled"
        except (Exception, BaseExceptionGroup):
            logger.exception("tool=%s failed run=%s", move.call.name, acting.run.id)
            text, outcome = "the tool failed for a reason that only the log knows", "internal"
        is_error = outcome not in (MADE, PROPOSED)
        return replace(
            step,
            ended=self.clock(),
            outcome=outcome,
            answer=result_of(cut(displayable(text), MOST_CHARACTERS), is_error=is_error),
        )

    async def _made(self, acting: Acting, move: Call) -> tuple[str, str]:
        name, arguments = move.call.name, arguments_of(move.call)
        own = OwnTools.of(acting.agent).by_name.get(name)
        if own is not None:
            check_arguments(arguments, own.parameters or {}, tool=name)
            if name == DELEGATE and acting.agent.only_proposes(name):
                raise InvalidRequest("in a dry run no other agent is asked; do without it")
            if name == PUBLISH and acting.agent.only_proposes(name):
                return await self._proposed(acting, move, arguments)
            return await self._own(acting, name, arguments)
        if (known := (await self._offered(acting.agent)).get(name)) is None:
            raise NotFound(f"this agent has no tool {name[:60]!r}")
        tool = known.tool
        if tool.effect is not Effect.READ:
            if acting.agent.only_proposes(name):
                check_arguments(arguments, tool.input_schema, tool=name)
                return await self._proposed(acting, move, arguments)
            if move.began and not tool.takes_key:
                raise OutcomeUnknown(
                    f"{name} was being called when the process ended; it may have done it all. "
                    "It is not called again: look up what it did"
                )
        toolbox = self.toolbox_of(acting.agent.caller)
        with keyed(acting.key):
            answer = await toolbox.call(name, arguments)
        return written(answer), MADE

    async def _own(self, acting: Acting, name: str, arguments: Arguments) -> tuple[str, str]:
        if name == PROPOSE:
            return _said(await self.hands.propose(acting, arguments)), PROPOSED
        if name == DELEGATE:
            agent, question = arguments["agent"], arguments["question"]
            return await self.hands.delegate(acting, agent, question), MADE
        assert name == PUBLISH
        return await self.hands.publish(acting, arguments), MADE

    async def _proposed(self, acting: Acting, move: Call, arguments: Arguments) -> tuple[str, str]:
        proposal = {
            "title": _title(move.call.name, arguments),
            "reason": move.said.text.strip() or "it gave no reason",
            "tool": move.call.name,
            "arguments": arguments,
        }
        return _said(await self.hands.propose(acting, proposal)), PROPOSED

    async def _offered(self, agent: Agent) -> Offered:
        if not agent.tools:
            return Offered()
        tools = await self.toolbox_of(agent.caller).tools()
        # One that is away now is no reason not to run.
        wish = Wish((Offer(agent.name, None, agent.tools, is_usual=True),))
        return offered(tools, wish, ChatRequest(agent.model, ()))


def _said(suggestion: Suggestion) -> str:
    return (
        f"Proposed as {suggestion.id}: it is not done, and a person decides. Do not propose it "
        "again; go on with what is left."
    )


def _title(name: str, arguments: Arguments) -> str:
    subject = arguments.get("title") or arguments.get("subject") or arguments.get("name")
    return f"{name}: {subject}" if isinstance(subject, str) else f"call {name}"

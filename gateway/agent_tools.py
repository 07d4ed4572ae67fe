"""Agents as tools: see what they do, tell them of events, stop them, decide what they suggest."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, get_args

from gateway import caller, idempotency
from gateway.agents.agent import agent_of_caller
from gateway.agents.agents import MOST_QUESTION_CHARACTERS, Agents
from gateway.agents.as_json import (
    run_to_json,
    standing_to_json,
    story_to_json,
    suggestion_to_json,
)
from gateway.agents.event import News
from gateway.agents.suggestion import SuggestionStatus
from gateway.errors import PermissionDenied
from gateway.llm.tool_answers import record
from gateway.llm.tool_frame import arguments_schema
from gateway.tools.tool import Answer, Arguments, Effect, Tool

MOST_LISTED = 50
USUAL_LISTED = 10
MOST_NOTE = 2_000
_ANY: Mapping[str, Any] = {"type": "object"}
_LIST: Mapping[str, Any] = {"type": "array", "items": _ANY}
_NAME: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 60,
    "description": "The agent's name, or * for all of them.",
}
_SUGGESTION: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 40,
    "description": "The suggestion's ID, such as sug_0123456789ab.",
}
_NOTE: Mapping[str, Any] = {
    "type": "string",
    "maxLength": MOST_NOTE,
    "description": "Why, for whoever reads it later.",
}
_WRITES = Effect.WRITE


class AgentTools:
    """For owners of the gateway alone: what agents do is theirs."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._tools = (
            *self._reading_tools(),
            *self._publishing_tools(),
            *self._stopping_tools(),
            *self._deciding_tools(),
        )

    async def tools(self) -> Sequence[Tool]:
        who = caller.current()
        if not who.is_owner:
            return ()
        # Where everybody reads everything, only who has a key may do something; and an agent has
        # hands of its own, within its bounds.
        may_act = who.may_spend and agent_of_caller(who.name) is None
        return [one for one in self._tools if may_act or one.effect is Effect.READ]

    async def list_agents(self, _: Arguments) -> Answer:
        return Answer({"agents": [standing_to_json(o) for o in await self._agents.standings()]})

    async def get_run(self, arguments: Arguments) -> Answer:
        """Raises:
        NotFound: there is no such run.
        """
        if "run_id" in arguments:
            return Answer(story_to_json(await self._agents.story(arguments["run_id"])))
        runs = await self._agents.runs(
            agent=arguments.get("agent"), limit=int(arguments.get("limit", USUAL_LISTED))
        )
        return Answer({"runs": [run_to_json(one) for one in runs]})

    async def publish_event(self, arguments: Arguments) -> Answer:
        """Raises:
        InvalidRequest: the topic is none.
        """
        stored = await self._agents.publish(
            News(
                arguments["topic"],
                arguments.get("data", {}),
                "mcp",
                subject=arguments.get("subject", ""),
                delivery=arguments.get("delivery_id") or idempotency.current(),
                by=_who(),
            )
        )
        return Answer({"event_id": stored.event.id, "is_new": stored.is_new})

    async def ask_agent(self, arguments: Arguments) -> Answer:
        """Raises:
        NotFound: there is no such agent.
        """
        runs = await self._agents.ask_team(arguments["agents"], arguments["question"], by=_who())
        return Answer({"runs": [run_to_json(one) for one in runs]})

    async def pause_agent(self, arguments: Arguments) -> Answer:
        stops = arguments.get("stop_runs", False)
        await (self._agents.stop if stops else self._agents.pause)(arguments["agent"], by=_who())
        return Answer({"agent": arguments["agent"], "state": "paused"})

    async def resume_agent(self, arguments: Arguments) -> Answer:
        await self._agents.resume(arguments["agent"], by=_who())
        return Answer({"agent": arguments["agent"], "state": "listening"})

    async def list_suggestions(self, arguments: Arguments) -> Answer:
        found = await self._agents.suggestions(
            status=arguments.get("status"), limit=int(arguments.get("limit", USUAL_LISTED))
        )
        return Answer({"suggestions": [suggestion_to_json(one) for one in found]})

    async def accept_suggestion(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `Agents.accept` does.
        """
        who = caller.current()
        if not who.may_spend:
            raise PermissionDenied("suggestions are accepted with a key of the gateway")
        decided = await self._agents.accept(
            arguments["suggestion_id"], who, note=arguments.get("note", "")
        )
        return Answer(suggestion_to_json(decided))

    async def dismiss_suggestion(self, arguments: Arguments) -> Answer:
        decided = await self._agents.dismiss(
            arguments["suggestion_id"], caller.current(), note=arguments.get("note", "")
        )
        return Answer(suggestion_to_json(decided))

    def _reading_tools(self) -> Sequence[Tool]:
        limit = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED}
        run_id = {"type": "string", "maxLength": 60, "description": "Without it, the latest runs."}
        return (
            _tool(
                "list_agents",
                "List agents",
                "Every agent that is on: what it hears, what it does now, what it did today, what "
                "it spent of its budget, and whether it is paused.",
                {},
                {"agents": _LIST},
                self.list_agents,
            ),
            _tool(
                "get_run",
                "Read a run",
                "The whole story of one run of an agent: the event, each step with time, tokens "
                "and cost, what it suggested, and how it ended. Without run_id, the latest runs.",
                {"run_id": run_id, "agent": {"type": "string", "maxLength": 60}, "limit": limit},
                {"run": _ANY, "event": _ANY, "steps": _LIST, "suggestions": _LIST, "runs": _LIST},
                self.get_run,
            ),
            _tool(
                "list_suggestions",
                "List suggestions",
                "What agents suggest, the latest first, with the reason and the evidence of each.",
                {
                    "status": {"type": "string", "enum": list(get_args(SuggestionStatus))},
                    "limit": limit,
                },
                {"suggestions": _LIST},
                self.list_suggestions,
            ),
        )

    def _publishing_tools(self) -> Sequence[Tool]:
        return (
            _tool(
                "publish_event",
                "Publish an event",
                "Tell agents that something happened: each agent that hears the topic runs. A "
                "delivery_id makes it one event however often it is sent.",
                {
                    "topic": {"type": "string", "maxLength": 100, "description": "git:commit …"},
                    "subject": {"type": "string", "maxLength": 300},
                    "data": {"type": "object", "description": "What agents are told of it."},
                    "delivery_id": {"type": "string", "maxLength": 200},
                },
                {"event_id": {"type": "string"}, "is_new": {"type": "boolean"}},
                self.publish_event,
                required=("topic",),
                effect=_WRITES,
                takes_key=True,
            ),
            _tool(
                "ask_agent",
                "Ask an agent",
                "Give one agent a question or a job; several work as a team, one after the other, "
                "and read each other's results. Follow it with get_run.",
                {
                    "agents": {
                        "type": "array",
                        "items": {"type": "string", "maxLength": 60},
                        "minItems": 1,
                        "maxItems": 10,
                    },
                    "question": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MOST_QUESTION_CHARACTERS,
                    },
                },
                {"runs": _LIST},
                self.ask_agent,
                required=("agents", "question"),
                effect=_WRITES,
            ),
        )

    def _stopping_tools(self) -> Sequence[Tool]:
        answer = {"agent": {"type": "string"}, "state": {"type": "string"}}
        return tuple(
            _tool(
                name,
                title,
                description,
                properties,
                answer,
                call,
                required=("agent",),
                effect=_WRITES,
                takes_key=True,
            )
            for name, title, description, properties, call in (
                (
                    "pause_agent",
                    "Pause an agent",
                    "No new run of it begins until it is resumed; what it hears meanwhile waits. "
                    "stop_runs ends what runs of it, too; * stops all agents, with all their runs.",
                    {"agent": _NAME, "stop_runs": {"type": "boolean", "default": False}},
                    self.pause_agent,
                ),
                (
                    "resume_agent",
                    "Resume an agent",
                    "Let a paused agent go on with what waits for it. * ends a stop of all.",
                    {"agent": _NAME},
                    self.resume_agent,
                ),
            )
        )

    def _deciding_tools(self) -> Sequence[Tool]:
        return tuple(
            _tool(
                name,
                title,
                description,
                {"suggestion_id": _SUGGESTION, "note": _NOTE},
                {"id": {"type": "string"}, "status": {"type": "string"}},
                call,
                required=("suggestion_id",),
                effect=effect,
                takes_key=True,
            )
            for name, title, description, effect, call in (
                (
                    "accept_suggestion",
                    "Accept a suggestion",
                    "Do what an agent suggested: the call that it proposed is made, as you, once.",
                    # Whatever it suggests may be called.
                    Effect.DESTROY,
                    self.accept_suggestion,
                ),
                (
                    "dismiss_suggestion",
                    "Dismiss a suggestion",
                    "Put a suggestion aside: nothing is called.",
                    _WRITES,
                    self.dismiss_suggestion,
                ),
            )
        )


def _who() -> str:
    return caller.current().name


def _tool(
    name: str,
    title: str,
    description: str,
    arguments: Mapping[str, Any],
    answer: Mapping[str, Any],
    call: Callable[[Arguments], Awaitable[Answer]],
    *,
    required: Sequence[str] = (),
    effect: Effect = Effect.READ,
    takes_key: bool = False,
) -> Tool:
    return Tool(
        name=name,
        title=title,
        description=description,
        input_schema=arguments_schema(arguments, required=required),
        output_schema=record(answer, optional=list(answer)),
        call=call,
        effect=effect,
        takes_key=takes_key,
    )

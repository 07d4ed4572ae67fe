"""The tools that only agents have: propose something to people, ask another agent, tell of news."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.agents.agent import Agent
from gateway.llm.messages import ToolDefinition

PROPOSE, DELEGATE, PUBLISH = "propose", "delegate", "publish_event"
MOST_TITLE, MOST_REASON, MOST_EVIDENCE, MOST_QUESTION = 200, 4_000, 20, 20_000


def _text(description: str, most: int) -> Mapping[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most, "description": description}


def _object(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_PROPOSE = ToolDefinition(
    PROPOSE,
    "Propose something to the people you work for, with your reason and the evidence. With a tool "
    "and its arguments, that call is made once one of them accepts it; without, it is advice.",
    _object(
        {
            "title": _text("What you propose, in a few words.", MOST_TITLE),
            "reason": _text("Why, so that a person can decide.", MOST_REASON),
            "evidence": {
                "type": "array",
                "items": _text("What it rests on, such as a file and its lines.", 2_000),
                "maxItems": MOST_EVIDENCE,
            },
            "tool": _text("The tool to call once it is accepted.", 60),
            "arguments": {"type": "object", "description": "The arguments of that call."},
        },
        "title",
        "reason",
    ),
)
_PUBLISH = ToolDefinition(
    PUBLISH,
    "Tell other agents of something that you found: an event of this topic is stored, and those "
    "that listen to it run.",
    _object(
        {
            "topic": _text("Such as api:created or feature:added.", 100),
            "subject": _text("What it is about, in a few words.", 300),
            "data": {"type": "object", "description": "What others need to know."},
        },
        "topic",
    ),
)


def _delegate(agents: tuple[str, ...]) -> ToolDefinition:
    return ToolDefinition(
        DELEGATE,
        "Ask another agent, wait for it, and read its answer. It knows nothing of what you know: "
        "say all it needs.",
        _object(
            {
                "agent": {"type": "string", "enum": list(agents)},
                "question": _text("What it is asked, with all it needs to know.", MOST_QUESTION),
            },
            "agent",
            "question",
        ),
    )


@dataclass(frozen=True, slots=True)
class OwnTools:
    """Those of one agent; it may publish only if its `tools` name that."""

    by_name: Mapping[str, ToolDefinition]

    @classmethod
    def of(cls, agent: Agent) -> "OwnTools":
        tools = [_PROPOSE]
        if agent.delegates_to:
            tools.append(_delegate(agent.delegates_to))
        if PUBLISH in agent.tools:
            tools.append(_PUBLISH)
        return cls({one.name: one for one in tools})

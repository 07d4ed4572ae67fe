"""What comes out of an answer in which tools run: chunks of the models', and calls of ours."""

from dataclasses import dataclass

from gateway.llm.messages import Chunk, ToolCall, Usage
from gateway.llm.model import Model
from gateway.tools.tool import Answer


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A tool of the gateway's is called; `label` is what the caller calls its server."""

    round: int
    call: ToolCall
    label: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """`text` is what the model reads of it; `answer` is None if the call failed."""

    round: int
    call: ToolCall
    label: str
    text: str
    milliseconds: float
    answer: Answer | None = None
    error: str | None = None


Piece = Chunk | CallBegun | CallEnded


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of a model, and the calls that followed it; a cost of None is not known."""

    model: Model
    route_id: str
    attempts: int
    usage: Usage
    cost_microusd: int | None
    calls: tuple[CallEnded, ...] = ()

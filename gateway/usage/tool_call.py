"""One call of a tool, as the ledger keeps it once it has ended."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`outcome` is `ok`, `cancelled` or an error's code; a tool that costs nothing has no cost.

    What a tool that asks a model costs stands in that call's own line, under the same request.
    """

    time: datetime
    request_id: str
    caller: str
    tool: str
    origin: str
    effect: str
    outcome: str
    milliseconds: float
    cost_microusd: int | None = None

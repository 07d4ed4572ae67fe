"""Items of a request as they are kept with their answer, and told back later."""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.llm.doors.responses.answer import Envelope
from gateway.llm.doors.responses.parts import normal_content
from gateway.llm.messages import Json

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "mcp_approval_response": "mcpa",
}
# Types whose form has no status.
_WITHOUT_STATUS = frozenset({"mcp_approval_request", "mcp_approval_response", "mcp_list_tools"})


def kept_items(items: Sequence[Json], envelope: Envelope) -> list[dict[str, Any]]:
    """Each with an ID, as the API tells them: what a client may leave out is there."""
    return [_kept(item, envelope, number) for number, item in enumerate(items)]


def item_of(items: Iterable[Json], item_id: str) -> Json | None:
    return next((item for item in items if item.get("id") == item_id), None)


def _kept(item: Json, envelope: Envelope, number: int) -> dict[str, Any]:
    kind = str(item.get("type"))
    kept = {"id": envelope.item_id(_PREFIXES.get(kind, "item"), f"i{number}"), **item}
    if not isinstance(kept["id"], str):
        kept["id"] = envelope.item_id(_PREFIXES.get(kind, "item"), f"i{number}")
    if kind not in _WITHOUT_STATUS and kept.get("status") is None:
        kept["status"] = "completed"
    if kind == "message":
        kept["content"] = normal_content(kept.get("content"), str(kept.get("role")))
    return kept

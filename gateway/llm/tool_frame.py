"""What tools about models share: whom they serve, and the frame of their arguments."""

from collections.abc import Collection, Mapping
from typing import Any

from gateway import caller
from gateway.caller import Caller
from gateway.errors import Unauthenticated
from gateway.llm.tool_answers import record


def spender() -> Caller:
    """Who asks.

    Raises:
        Unauthenticated: whoever it is may not spend.
    """
    who = caller.current()
    if not who.may_spend:
        raise Unauthenticated(
            "the tools of models take a key of this gateway; send it as "
            "'Authorization: Bearer gw_…'"
        )
    return who


def arguments_schema(
    properties: Mapping[str, Any], *, required: Collection[str] = ()
) -> Mapping[str, Any]:
    """The schema of a tool's arguments; it takes no others."""
    optional = [name for name in properties if name not in required]
    return {**record(properties, optional=optional), "additionalProperties": False}

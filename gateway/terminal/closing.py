"""What an answer took, in one line: who gave it, tokens, cost, and what is left of the quota."""

from gateway.client.answers import Reply
from gateway.terminal.printable import one_line

_CAVEATS = {
    "length": "the answer is cut off: it reached the most tokens that the model may say",
    "content_filter": "the answer is cut off by its provider's own rules",
}


def closing(reply: Reply) -> str:
    """Such as `demo/demo-paid (paid) · 12 in, 34 out · $0.0012 · 98 left of the quota · route …`"""
    tier = f" ({reply.tier})" if reply.tier else ""
    parts = (
        f"{reply.model}{tier}",
        f"{reply.tokens.input:,} in, {reply.tokens.output:,} out",
        f"{len(reply.rounds)} rounds" if len(reply.rounds) > 1 else "",
        cost(reply.cost_usd),
        left(reply.quota_remaining),
        f"route {reply.route_id}" if reply.route_id else "",
    )
    return one_line(" · ".join(filter(None, parts)))


def cost(usd: float | None) -> str:
    """Money that is not known is never shown as none."""
    if usd is None:
        return "cost unknown"
    if usd == 0:
        return "free"
    whole, _, fraction = f"{usd:.6f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def left(remaining: int | None) -> str:
    return "no quota" if remaining is None else f"{remaining:,} left of the quota"


def caveat(reply: Reply) -> str | None:
    """Why the answer is not the whole of it, if it is not."""
    if reply.tool_calls:
        names = ", ".join(call.name for call in reply.tool_calls)
        return one_line(f"the model waits for what nobody here runs: {names}")
    return _CAVEATS.get(reply.finish_reason or "")

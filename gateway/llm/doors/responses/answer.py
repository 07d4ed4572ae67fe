"""An answer as a response object, whole or in events, the way OpenAI's clients read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.llm.messages import FinishReason, Usage

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# Clients branch on these; for all else the code of a failure is the server's error.
_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "limit_exceeded": "insufficient_quota",
    "payment_required": "insufficient_quota",
    "context_length_exceeded": "context_length_exceeded",
    "invalid_request": "invalid_prompt",
    "content_filter": "invalid_prompt",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same in all that is told of an answer; `created` is in seconds since 1970."""

    route_id: str
    created: int
    model: str
    echo: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"resp_{self.route_id}"

    def item_id(self, prefix: str, number: int | str) -> str:
        """It names the response, so that an item can be found by its ID alone."""
        return f"{prefix}_{self.route_id}_{number}"


def response_of(item_id: str) -> str:
    """The ID of the response that an item is of, if it is one of ours at all."""
    return f"resp_{item_id.rpartition('_')[0].partition('_')[2]}"


def response_to_json(
    envelope: Envelope,
    output: Sequence[Mapping[str, Any]],
    *,
    finish_reason: FinishReason | None = None,
    is_over: bool = False,
    error: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """While it is under way, and after an error, it has no usage yet."""
    reason = _INCOMPLETE.get(finish_reason or "")
    return {
        **envelope.echo,
        "id": envelope.id,
        "object": "response",
        "created_at": envelope.created,
        "status": _status(reason, is_over=is_over, has_failed=error is not None),
        "model": envelope.model,
        "output": output,
        "error": None if error is None else failure(error),
        "incomplete_details": None if reason is None else {"reason": reason},
        "usage": None,
    }


def status_of(finish_reason: FinishReason | None) -> str:
    return _status(_INCOMPLETE.get(finish_reason or ""), is_over=True, has_failed=False)


def failure(error: Mapping[str, Any]) -> dict[str, Any]:
    """The inside of OpenAI's `error`, as an answer that failed tells it."""
    return {"code": _CODES.get(str(error.get("code")), "server_error"), "message": error["message"]}


def usage_to_json(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _status(reason: str | None, *, is_over: bool, has_failed: bool) -> str:
    if has_failed:
        return "failed"
    if not is_over:
        return "in_progress"
    return "completed" if reason is None else "incomplete"

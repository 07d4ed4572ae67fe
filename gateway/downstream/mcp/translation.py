"""What goes wrong with an MCP server, in the gateway's own errors.

| the trouble                                | a read        | a write        |
|--------------------------------------------|---------------|----------------|
| it was not sent                            | ServiceDown   | ServiceDown    |
| the connection went under it               | ServiceDown   | OutcomeUnknown |
| it was not answered in time                | DeadlineExceeded | OutcomeUnknown |
| its answer cannot be read                  | BadAnswer     | OutcomeUnknown |
| an error: method not found                 | NotFound      | NotFound       |
| an error: invalid parameters               | InvalidRequest | InvalidRequest |
| any other error                            | BadAnswer     | OutcomeUnknown |
| the gateway's credentials are refused      | KeyRefused    | KeyRefused     |
| HTTP 429                                   | RateLimited   | RateLimited    |
| an answer that says that it is an error    | ToolFailed    | ToolFailed     |
"""

from gateway.downstream.mcp.messages import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Busy,
    Garbled,
    McpAnswer,
    NotSent,
    Refusal,
    RpcError,
    Silent,
    Trouble,
)
from gateway.downstream.translation import (
    RETRY_AFTER_SECONDS,
    ServiceDown,
    outcome_unknown,
    plain,
    unreadable,
)
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    KeyRefused,
    NotFound,
    RateLimited,
    ToolFailed,
)

MAX_FAILURE_CHARACTERS = 2_000


def translated(server: str, trouble: Trouble, *, is_read: bool) -> GatewayError:
    match trouble:
        case Busy():
            seconds = trouble.retry_after_seconds
            said = f"{server} {trouble.reason}; retry in {max(1, round(seconds))} s"
            return RateLimited(said, retry_after_seconds=seconds)
        case Refusal():
            return KeyRefused(f"{server} {trouble.reason}")
        case RpcError(code=code) if code == METHOD_NOT_FOUND:
            return NotFound(f"{server}: {trouble.reason}")
        case RpcError(code=code) if code == INVALID_PARAMS:
            return InvalidRequest(f"{server}: {trouble.reason}")
        case RpcError():
            return unreadable(server, f"failed: {trouble.reason}", is_read=is_read)
        case Silent() if is_read:
            return DeadlineExceeded(f"{server}: {trouble.reason}")
        case Garbled():
            return unreadable(server, trouble.reason, is_read=is_read)
    if is_read or isinstance(trouble, NotSent):
        return ServiceDown(server, trouble.reason, retry_after_seconds=RETRY_AFTER_SECONDS)
    return outcome_unknown(server, trouble.reason)


def refuse_failure(server: str, answer: McpAnswer) -> None:
    """
    Raises:
        ToolFailed: the answer says that it is one of a failure.
    """
    if not answer.is_error:
        return
    texts = [item.get("text") for item in answer.items if item.get("type") == "text"]
    said = " ".join(text for text in texts if isinstance(text, str))
    limited = plain(said, limit=MAX_FAILURE_CHARACTERS)
    raise ToolFailed(limited or f"{server}: the tool failed and does not say why")

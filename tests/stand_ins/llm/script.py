"""What a stand-in provider answers: whole answers, refusals, and everything that goes wrong."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ending = Literal["properly", "error", "eof", "no_done", "abort"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A call of a tool by the model; `arguments` is JSON text and comes in pieces."""

    name: str
    arguments: str = "{}"
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, sent piece by piece; every piece costs one output token.

    `tokens` makes a text of so many words instead of `text`; `pieces` says exactly which ones.
    `input_tokens` is a quarter of the letters of the request unless it is given.

    What may go wrong, counted in pieces that were sent:
    `before_headers` is waited for before anything is sent;
    `hold_after` pieces it waits for `hold`, without one until the client leaves;
    `keepalive_seconds` sends a comment (or `ping`) so often while it holds;
    `ends_after` pieces it ends as `ends` says: `error` inside the stream, `eof` in the middle,
    `no_done` after the finish but before the last marker, `abort` of the connection;
    `bytes_at_once` cuts what goes over the wire there, also inside of a character;
    `delay_seconds` passes before each piece, for measurements only.
    """

    text: str = "This is what the stand-in answers."
    tokens: int | None = None
    pieces: tuple[str, ...] | None = None
    reasoning: tuple[str, ...] = ()
    signature: str | None = None
    tools: tuple[Tool, ...] = ()
    all_tools_at_index_0: bool = False
    input_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    finish: str | None = None
    usage: Literal["as_usual", "on_finish", "after", "none"] = "as_usual"
    cost_usd: str | None = None
    comments: bool = False
    before_headers: asyncio.Event | None = None
    hold_after: int | None = None
    hold: asyncio.Event | None = None
    keepalive_seconds: float | None = None
    ends: Ending = "properly"
    ends_after: int | None = None
    bytes_at_once: int | None = None
    delay_seconds: float = 0.0

    def words(self) -> tuple[str, ...]:
        if self.pieces is not None:
            return self.pieces
        if self.tokens is not None:
            return tuple(f"word{number} " for number in range(self.tokens))
        if self.tools and self.text == Answer.text_by_default():
            return ()
        return tuple(re.findall(r"\s*\S+\s*?(?=\s|$)", self.text))

    @staticmethod
    def text_by_default() -> str:
        return "This is what the stand-in answers."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error instead of an answer, in the dialect of the provider; `body` replaces its JSON.

    With `inside_200` the same error comes with the status 200. With `echoes_key` the message
    repeats the key that was sent, as some providers do.
    """

    status: int
    message: str = "the stand-in was told to refuse"
    type: str = "server_error"
    code: str | None = None
    retry_after: str | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    inside_200: bool = False
    echoes_key: bool = False
    before_headers: asyncio.Event | None = None


Reply = Answer | Refusal
# A reply may depend on the request, for instance on the results of tools in it.
Scripted = Reply | Callable[[Mapping[str, Any]], Reply]


def rate_limited(retry_after: str | None = None) -> Refusal:
    return Refusal(
        429, "Rate limit reached", "rate_limit_error", "rate_limit_exceeded", retry_after
    )


def out_of_quota() -> Refusal:
    message = "You exceeded your current quota, please check your plan and billing details."
    return Refusal(429, message, "insufficient_quota", "insufficient_quota")


def key_refused() -> Refusal:
    return Refusal(
        401,
        "Incorrect API key provided",
        "authentication_error",
        "invalid_api_key",
        echoes_key=True,
    )


def no_balance() -> Refusal:
    return Refusal(402, "Insufficient balance", "billing_error", "payment_required")


def no_balance_in_nanogpts_old_shape() -> Refusal:
    body = {"error": "Insufficient balance", "requiredBalance": 0.0035, "status": 402}
    return Refusal(402, body=json.dumps(body).encode())


def broken(status: int = 500) -> Refusal:
    return Refusal(status, "The server had an error", "server_error")


def overloaded() -> Refusal:
    return Refusal(529, "Overloaded", "overloaded_error")


def context_too_long() -> Refusal:
    message = "This model's maximum context length is 8192 tokens."
    return Refusal(400, message, "invalid_request_error", "context_length_exceeded")

"""Decides which Caller asks: by a key, or, where there are no keys, by who can reach the port."""

from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import caller
from gateway.caller import Caller
from gateway.endpoints.anthropic_problems import anthropic_refusal
from gateway.endpoints.openai_problems import openai_refusal
from gateway.endpoints.problems import problem
from gateway.errors import GatewayError, Unauthenticated
from gateway.keys import holder

OPENAI_PATH = "/v1"
MESSAGES_PATH = "/v1/messages"
# OpenAI's SDKs send the first, Anthropic's the second and Azure's the third.
_BEARER = "bearer "
_KEY_HEADERS = ("x-api-key", "api-key")


class Authentication:
    """ASGI middleware: `gateway.caller.current()` and `request.state.caller` say who asks.

    `keys` maps the hash of a key to its caller. A wrong key is answered 401. `keyless` is who
    comes without one: LOCAL where only this machine can reach the gateway, else ANONYMOUS, who
    may read what is public and may not spend. Where no keys are configured, none is looked at:
    clients that insist on sending one are served too.
    """

    def __init__(self, app: ASGIApp, *, keys: Mapping[str, Caller], keyless: Caller) -> None:
        self._app = app
        self._keys = keys
        self._keyless = keyless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            who = self._caller(Headers(scope=scope))
        except Unauthenticated as error:
            await _refusal(scope["path"], error)(scope, receive, send)
            return
        caller.begin(who)
        scope.setdefault("state", {})["caller"] = who
        await self._app(scope, receive, send)

    def _caller(self, headers: Headers) -> Caller:
        key = given_key(headers) if self._keys else None
        if key is None:
            return self._keyless
        who = holder(self._keys, key)
        if who is None:
            raise Unauthenticated(
                "this gateway does not know the key that came with the request; send one of its "
                "own keys as 'Authorization: Bearer gw_…', or none to read what is public"
            )
        return who


class SpendersOnly:
    """ASGI middleware: whoever may not spend is refused before the body is read.

    Else strangers could fill the memory with bodies that only a key entitles to.
    """

    def __init__(self, app: ASGIApp, *, refuse: Callable[[Exception], Response]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            spender(scope["state"]["caller"])
        except Unauthenticated as error:
            await self._refuse(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def given_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries, in whichever header its client has learned to use."""
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        return authorization[len(_BEARER) :].strip() or None
    given = (headers.get(name, "").strip() for name in _KEY_HEADERS)
    return next(filter(None, given), None)


def spender(who: Caller) -> Caller:
    """The caller, if it may cause costs.

    Raises:
        Unauthenticated: it came without a key.
    """
    if not who.may_spend:
        raise Unauthenticated(
            "asking a model takes a key of this gateway; send it as 'Authorization: Bearer gw_…'"
        )
    return who


def reader(who: Caller) -> Caller:
    """The caller, if it is one of which the gateway knows more than that it exists.

    Raises:
        Unauthenticated: it came without a key.
    """
    if not (who.may_spend or who.is_owner):
        raise Unauthenticated(
            "this is told to those with a key of this gateway; send it as "
            "'Authorization: Bearer gw_…'"
        )
    return who


def is_openai_path(path: str) -> bool:
    return path == OPENAI_PATH or path.startswith(f"{OPENAI_PATH}/")


def is_messages_path(path: str) -> bool:
    return path == MESSAGES_PATH or path.startswith(f"{MESSAGES_PATH}/")


def _refusal(path: str, error: GatewayError) -> Response:
    if is_messages_path(path):
        return anthropic_refusal(error)
    if is_openai_path(path):
        return openai_refusal(error)
    status, body, headers = problem(error)
    return JSONResponse(body, status, {**headers, "www-authenticate": "Bearer"})

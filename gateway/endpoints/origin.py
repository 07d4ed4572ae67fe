"""Decides which pages may call from a browser (CORS), and refuses what others were tricked into."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.loopback import is_this_machine

PREFLIGHT_SECONDS = 600  # how long a browser may call on without asking again
_METHODS = "GET, POST, DELETE, OPTIONS"
_HEADERS = (
    "content-type",
    "accept",
    "authorization",
    "x-api-key",
    "api-key",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-session-id",
    "last-event-id",
)
# Tools name some, and OpenAI's SDKs send more with each version.
_PARAMETER_HEADER = re.compile(r"(mcp-param|x-gateway|x-stainless)-[\w.-]+", re.ASCII)
_READABLE_HEADERS = (
    "mcp-session-id, mcp-protocol-version, retry-after, x-request-id, x-should-retry, "
    "x-gateway-route-id, x-gateway-model, x-gateway-provider, x-gateway-tier, "
    "x-gateway-cost-usd, x-gateway-attempts, x-gateway-quota-remaining, x-gateway-warning"
)


class OriginGuard:
    """ASGI middleware: a wrong Host is answered 421, a wrong Origin 403, a preflight here.

    `allowed_hosts` are names such as `gateway.example.com`, which any port fits, or
    `gateway.example.com:8443`, which only that port fits. `allowed_origins` are whole, such as
    `https://chatgpt.com`. `*` allows all. This machine itself (`localhost`, `127.0.0.1`, `[::1]`)
    and pages of the host that was asked are always right, and so is a request without
    Origin: only browsers send one.

    Pages of a right Origin may also read every answer, errors and streams included. They may not
    send cookies: nothing here knows any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: Collection[str],
        allowed_origins: Collection[str],
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin", "")
        if not self._is_host_allowed(host):
            await _refusal(421, f"this gateway does not answer for the host {host!r}")(
                scope, receive, send
            )
            return
        if not origin:
            await self._app(scope, receive, send)
            return
        if not self._is_origin_allowed(origin.lower(), host):
            await _refusal(403, f"pages of {origin!r} may not call this gateway")(
                scope, receive, send
            )
            return
        answering = _permission(headers) if _is_preflight(scope, headers) else self._app
        await answering(scope, receive, _readable_by(origin, send))

    def _is_host_allowed(self, host: str) -> bool:
        name = _name(host)
        return not self._hosts.isdisjoint({"*", host, name}) or is_this_machine(name)

    def _is_origin_allowed(self, origin: str, host: str) -> bool:
        if not self._origins.isdisjoint({"*", origin}):
            return True
        authority = origin.partition("://")[2]
        return authority == host or is_this_machine(_name(authority))


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _permission(headers: Headers) -> Response:
    """What a browser asks for before it lets a page send more than a form could."""
    asked = headers.get("access-control-request-headers", "").lower().split(",")
    parameters = filter(_PARAMETER_HEADER.fullmatch, map(str.strip, asked))
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": ", ".join((*_HEADERS, *parameters)),
            "access-control-max-age": str(PREFLIGHT_SECONDS),
            "vary": "Access-Control-Request-Headers",
        },
    )


def _readable_by(origin: str, send: Send) -> Send:
    async def send_readable(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = _READABLE_HEADERS
            headers.add_vary_header("Origin")
            message = {**message, "headers": headers.raw}
        await send(message)

    return send_readable


def _name(authority: str) -> str:
    """`gateway.example.com` of `gateway.example.com:8443`, `::1` of `[::1]:3001`."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _refusal(status: int, sentence: str) -> JSONResponse:
    allowed = "allowed_hosts" if status == 421 else "allowed_origins"
    return JSONResponse(
        {"error": f"{sentence}; its {allowed} setting lists those that may"}, status
    )

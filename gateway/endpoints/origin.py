"""Refuses requests that a browser was tricked into sending (DNS rebinding, foreign pages)."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class OriginGuard:
    """ASGI middleware: a wrong Host is answered 421, a wrong Origin 403.

    `allowed_hosts` are names such as `gateway.example.com`, which any port fits, or
    `gateway.example.com:8443`, which only that port fits. `allowed_origins` are whole, such as
    `https://chatgpt.com`. `*` allows all. This machine itself (`localhost`, `127.0.0.1`, `[::1]`)
    and pages of the host that was asked are always right, and so is a request without
    Origin: only browsers send one.
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
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        if not self._is_host_allowed(host):
            await _refusal(421, f"this gateway does not answer for the host {host!r}")(
                scope, receive, send
            )
            return
        if origin and not self._is_origin_allowed(origin, host):
            await _refusal(403, f"pages of {origin!r} may not call this gateway")(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)

    def _is_host_allowed(self, host: str) -> bool:
        name = _name(host)
        return not self._hosts.isdisjoint({"*", host, name}) or _is_this_machine(name)

    def _is_origin_allowed(self, origin: str, host: str) -> bool:
        if not self._origins.isdisjoint({"*", origin}):
            return True
        authority = origin.partition("://")[2]
        return authority == host or _is_this_machine(_name(authority))


def _name(authority: str) -> str:
    """`gateway.example.com` of `gateway.example.com:8443`, `::1` of `[::1]:3001`."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_this_machine(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _refusal(status: int, sentence: str) -> JSONResponse:
    allowed = "allowed_hosts" if status == 421 else "allowed_origins"
    return JSONResponse(
        {"error": f"{sentence}; its {allowed} setting lists those that may"}, status
    )

"""The two ages of MCP: with a handshake, up to 2025-11-25, and with an envelope around each call.

The rules are those of https://modelcontextprotocol.io/specification/versioning.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.downstream.mcp.messages import UNSUPPORTED_VERSION, Garbled, Json, RpcError
from gateway.downstream.translation import plain
from gateway.version import VERSION

NEWEST_HANDSHAKE = "2025-11-25"
HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", NEWEST_HANDSHAKE)
MODERN = "2026-07-28"
_META = "io.modelcontextprotocol/"
_CLIENT = {"name": "gateway", "version": VERSION}


class Era(Protocol):
    """How a version of the protocol wants its messages."""

    server_version: str | None
    must_subscribe: bool

    def introduction(self) -> Json: ...
    def adopt(self, result: Json) -> None: ...
    def learn(self, schemas: Mapping[str, Json]) -> None: ...
    def enveloped(self, parameters: Json, meta: Json) -> Json: ...
    def headers(self, message: Json) -> Mapping[str, str]: ...


class HandshakeEra:
    """Client and server agree on a version once, at the beginning."""

    must_subscribe = False

    def __init__(self) -> None:
        self.server_version: str | None = None
        self._headers: dict[str, str] = {}

    def introduction(self) -> Json:
        return {"protocolVersion": NEWEST_HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT}

    def adopt(self, result: Json) -> None:
        """
        Raises:
            Garbled: the server wants a version that nobody here speaks.
        """
        version = result.get("protocolVersion")
        if version not in HANDSHAKES:
            raise Garbled(f"speaks MCP {plain(str(version), limit=20)}, which is not known here")
        self._headers = {"mcp-protocol-version": str(version)}
        self.server_version = _version(result.get("serverInfo"))

    def learn(self, schemas: Mapping[str, Json]) -> None:
        """Nothing of it goes into headers."""

    def enveloped(self, parameters: Json, meta: Json) -> Json:
        return {**parameters, "_meta": meta} if meta else parameters

    def headers(self, message: Json) -> Mapping[str, str]:
        return self._headers


class ModernEra:
    """Each request says for itself what it takes; closing its answer cancels it over HTTP."""

    must_subscribe = True

    def __init__(self) -> None:
        self.server_version: str | None = None
        self._schemas: Mapping[str, Json] = {}

    @classmethod
    def after(cls, error: RpcError) -> "ModernEra":
        """
        Raises:
            RpcError: that one, where it does not speak of versions or methods.
        """
        speaks_of_versions = "version" in error.reason.lower() or "method" in error.reason.lower()
        if error.code in (UNSUPPORTED_VERSION, -32601) or speaks_of_versions:
            return cls()
        raise error

    def introduction(self) -> Json:
        return {}

    def adopt(self, result: Json) -> None:
        """
        Raises:
            Garbled: the server wants a version that nobody here speaks.
        """
        versions = result.get("supportedVersions")
        if not isinstance(versions, list) or MODERN not in versions:
            raise Garbled("speaks no version of MCP that is known here")
        meta = result.get("_meta")
        named = meta.get(f"{_META}serverInfo") if isinstance(meta, Mapping) else None
        self.server_version = _version(named)

    def learn(self, schemas: Mapping[str, Json]) -> None:
        self._schemas = schemas

    def enveloped(self, parameters: Json, meta: Json) -> Json:
        stamp = {
            f"{_META}protocolVersion": MODERN,
            f"{_META}clientInfo": _CLIENT,
            f"{_META}clientCapabilities": {},
        }
        return {**parameters, "_meta": {**meta, **stamp}}

    def headers(self, message: Json) -> Mapping[str, str]:
        # Imported where it is needed: most servers have a handshake.
        from mcp.shared import inbound

        headers = {"mcp-protocol-version": MODERN, "mcp-method": str(message.get("method"))}
        parameters = message.get("params", {})
        if message.get("method") != "tools/call":
            return headers
        name = parameters["name"]
        schema = self._schemas.get(name, {})
        if inbound.find_invalid_x_mcp_header(schema) is None:
            fields = inbound.x_mcp_header_map(schema)
            headers |= inbound.mcp_param_headers(fields, parameters["arguments"])
        return {**headers, "mcp-name": inbound.encode_header_value(name)}


def _version(server: Any) -> str | None:
    version = server.get("version") if isinstance(server, Mapping) else None
    return plain(version, limit=40) or None if isinstance(version, str) else None

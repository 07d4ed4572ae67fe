"""What MCP clients read by address: `resources/list`, `resources/templates/list` and `/read`."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    PaginatedRequestParams,
    ReadResourceRequestParams,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from rapidfuzz import process

from gateway import caller
from gateway.endpoints.mcp_tools import begin_for_caller
from gateway.endpoints.problems import in_our_terms, plain_words
from gateway.errors import DeadlineExceeded, GatewayError, InvalidRequest, NotFound
from gateway.text import shown

logger = logging.getLogger(__name__)

JSON, MARKDOWN = "application/json", "text/markdown"
DEADLINE_SECONDS = 75.0
# Until 2025-11-25 it had a code of its own; since then it is an invalid parameter (SEP-2164).
RESOURCE_NOT_FOUND = -32002

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One address, or a template of RFC 6570 with one variable, which is at its end.

    `read` takes what stands for the variable, or nothing, and gives text of the MIME type. It
    answers whoever asks as its caller. `is_open` says that it needs no key.
    """

    uri: str
    name: str
    title: str
    description: str
    read: Callable[[str], Awaitable[str]]
    mime_type: str = JSON
    is_open: bool = False

    @property
    def is_template(self) -> bool:
        return self.uri.endswith("}")

    def value(self, uri: str) -> str | None:
        """What a URI has in the place of the variable; None if it is another resource's.

        Slashes of an ID may be written as they are or quoted.
        """
        if not self.is_template:
            return "" if uri.rstrip("/") == self.uri else None
        start = self.uri.partition("{")[0]
        return unquote(uri.removeprefix(start)) or None if uri.startswith(start) else None

    def to_json(self) -> Wire:
        return {
            "uriTemplate" if self.is_template else "uri": self.uri,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "mimeType": self.mime_type,
        }


class McpResources:
    """Answers for resources, each read as its caller; what it may not read, it does not see."""

    def __init__(
        self, resources: Sequence[Resource], *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._resources = resources
        self._deadline_seconds = deadline_seconds

    def serve_on(self, server: Server[Any]) -> None:
        """In the place of whatever resources the server had."""
        for method, answer in (
            ("resources/list", self.list),
            ("resources/templates/list", self.templates),
        ):
            server.add_request_handler(method, PaginatedRequestParams, answer)
        server.add_request_handler("resources/read", ReadResourceRequestParams, self.read)

    async def list(self, context: ServerRequestContext[Any], _: PaginatedRequestParams) -> Wire:
        begin_for_caller(context)
        listed = [one.to_json() for one in self._open() if not one.is_template]
        return {"resources": listed, "resultType": "complete"}

    async def templates(
        self, context: ServerRequestContext[Any], _: PaginatedRequestParams
    ) -> Wire:
        begin_for_caller(context)
        listed = [one.to_json() for one in self._open() if one.is_template]
        return {"resourceTemplates": listed, "resultType": "complete"}

    async def read(
        self, context: ServerRequestContext[Any], params: ReadResourceRequestParams
    ) -> Wire:
        """Raises:
        MCPError: nothing has this URI, with what there is; or it cannot be read now.
        """
        began = time.perf_counter()
        begin_for_caller(context)
        name, outcome = "unknown", "cancelled"
        try:
            resource, value = self._find(params.uri)
            name = resource.name
            text = await self._text(resource, value)
            outcome = "ok"
        except Exception as error:
            said = in_our_terms(error)
            outcome = said.code
            raise _refusal(said, params.uri, version=context.protocol_version) from error
        finally:
            milliseconds = (time.perf_counter() - began) * 1000
            logger.info(
                "resource=%s outcome=%s milliseconds=%.1f caller=%s",
                name,
                outcome,
                milliseconds,
                caller.current().name,
            )
        content = {"uri": params.uri, "mimeType": resource.mime_type, "text": text}
        # What it says is of this moment, and of this caller.
        return {
            "contents": [content],
            "resultType": "complete",
            "ttlMs": 0,
            "cacheScope": "private",
        }

    def _open(self) -> Sequence[Resource]:
        may_spend = caller.current().may_spend
        return [one for one in self._resources if one.is_open or may_spend]

    def _find(self, uri: str) -> tuple[Resource, str]:
        there = self._open()
        for one in there:
            if (value := one.value(uri)) is not None:
                return one, value
        addresses = [one.uri for one in there]
        near = process.extract(uri, addresses, limit=3, score_cutoff=75)
        raise NotFound(
            f"no resource is at {shown(uri)!r}; there are: {', '.join(addresses)}",
            suggestions=[match[0] for match in near],
        )

    async def _text(self, resource: Resource, value: str) -> str:
        try:
            async with asyncio.timeout(self._deadline_seconds) as deadline:
                return await resource.read(value)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(
                f"{resource.name} could not be read within {self._deadline_seconds:g} s; try again"
            ) from error


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _refusal(error: GatewayError, uri: str, *, version: str) -> MCPError:
    code = INTERNAL_ERROR
    if isinstance(error, NotFound):
        code = RESOURCE_NOT_FOUND if version in HANDSHAKE_PROTOCOL_VERSIONS else INVALID_PARAMS
    elif isinstance(error, InvalidRequest):
        code = INVALID_PARAMS
    data = {"uri": uri, "code": error.code}
    return MCPError(code=code, message=plain_words(error), data=data)

"""A toolbox as MCP clients see it: `tools/list`, and `tools/call` with its answers and errors."""

import logging
import time
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolRequestParams, PaginatedRequestParams

from gateway import caller, request_id
from gateway.endpoints.problems import in_our_terms, plain_words
from gateway.endpoints.request_log import client_family
from gateway.errors import GatewayError
from gateway.tools import progress
from gateway.tools.result import written
from gateway.tools.tool import Answer, Effect, Tool
from gateway.tools.toolbox import Toolbox

logger = logging.getLogger(__name__)

Wire = dict[str, Any]

# Required since 2026-07-28; the library drops it from the answers of earlier versions.
_COMPLETE: Wire = {"resultType": "complete"}


class McpTools:
    """Answers for a toolbox, whose tools may change while clients are connected.

    Results leave as wire dictionaries: building the library's models first costs a copy each.
    """

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def list(self, context: ServerRequestContext[Any], _: PaginatedRequestParams) -> Wire:
        begin_for_caller(context)
        try:
            listed = [listing(tool) for tool in await self._toolbox.tools()]
        except Exception as error:
            said = plain_words(in_our_terms(error))
            raise MCPError(code=INTERNAL_ERROR, message=said) from error
        return {"tools": listed, **_COMPLETE}

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> Wire:
        """A failure of any kind is a result that says so: a model reads it and mends its call."""
        began = time.perf_counter()
        begin_for_caller(context)
        # Over SSE this runs in the task of the stream, whose own ID is that of the GET.
        headers = getattr(context.request, "headers", {})
        request = request_id.begin(headers.get(request_id.HEADER))
        name, outcome, size = "unknown", "cancelled", 0
        try:
            name = (await self._toolbox.tool(params.name)).name
            progress.begin(context.session.report_progress)
            result = answered(await self._toolbox.call(name, params.arguments or {}))
            outcome, size = "ok", sum(len(one.get("text", "")) for one in result["content"])
            return result
        except Exception as error:
            said = in_our_terms(error)
            outcome = said.code
            return failed(said)
        finally:
            milliseconds = (time.perf_counter() - began) * 1000
            logger.info(
                "tool=%s outcome=%s milliseconds=%.1f characters=%d caller=%s client=%s "
                "request_id=%s",
                name,
                outcome,
                milliseconds,
                size,
                caller.current().name,
                client_family(headers),
                request,
            )


def begin_for_caller(context: ServerRequestContext[Any]) -> None:
    """Over SSE the task is that of the stream, but each message has the key it was sent with."""
    state = getattr(context.request, "scope", {}).get("state", {})
    if "caller" in state:
        caller.begin(state["caller"])


def listing(tool: Tool) -> Wire:
    """One tool in `tools/list`. A hint left out would be read as its worst case."""
    is_read = tool.effect is Effect.READ
    listed: Wire = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {
            "title": tool.title,
            "readOnlyHint": is_read,
            "destructiveHint": tool.effect is Effect.DESTROY,
            "idempotentHint": is_read,
            "openWorldHint": tool.is_open_world,
        },
    }
    if tool.output_schema is not None:
        listed["outputSchema"] = tool.output_schema
    return listed


def answered(answer: Answer) -> Wire:
    """ChatGPT expects one text item that holds the whole answer as JSON.

    Raises:
        BadAnswer: it is too large to be passed on.
    """
    text = written(answer)
    items = [{"type": "text", "text": text}] if answer.items is None else list(answer.items)
    result: Wire = {
        "content": items,
        "structuredContent": answer.content,
        "isError": False,
        **_COMPLETE,
    }
    if answer.meta is not None:
        result["_meta"] = dict(answer.meta)
    return result


def failed(error: GatewayError) -> Wire:
    item = {"type": "text", "text": plain_words(error)}
    return {"content": [item], "isError": True, **_COMPLETE}

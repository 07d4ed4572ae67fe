"""The tools in a caller's Messages: its own, Anthropic's, and which of ours its model may use."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import (
    Fields,
    as_flag,
    as_list,
    as_name,
    as_object,
    as_text,
    wrong,
)
from gateway.llm.loop.wish import Offer
from gateway.llm.messages import Json, ToolChoice, ToolDefinition
from gateway.tools.tool import OWN

_SERVERS = "mcp_servers"
_TOOLSET = "mcp_toolset"
_CHOICES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}


def take_servers(body: dict[str, Any]) -> tuple[Offer, ...]:
    """Take `mcp_servers`, and toolsets among `tools`, out of a request, in either of their betas.

    A server's URL is `gateway` for all of our tools, or `gateway/NAME` for those of one server.
    Its calls run without asking, as with Anthropic's own connector.

    Raises:
        InvalidRequest: it names a server that is not one of the gateway's.
    """
    toolsets = _toolsets(body)
    servers = as_list(body.pop(_SERVERS, None) or [], _SERVERS)
    offers = [_offer(one, f"{_SERVERS}[{at}]", toolsets) for at, one in enumerate(servers)]
    for name, toolset in toolsets.items():
        raise InvalidRequest(
            f"{toolset.path('mcp_server_name')}: no entry of {_SERVERS} is named {name!r}"
        )
    return tuple(offer for offer in offers if offer is not None)


def tools_from_json(fields: Fields) -> tuple[tuple[ToolDefinition, ...], tuple[Json, ...]]:
    """Those with a schema, and Anthropic's own, which go there as they are."""
    own: list[ToolDefinition] = []
    others: list[Json] = []
    for at, value in enumerate(fields.read("tools", as_list) or ()):
        tool = Fields(value, f"tools[{at}]")
        kind = tool.read("type", as_name)
        if kind in (None, "custom"):
            own.append(_tool(tool))
        else:
            others.append(as_object(value, tool.where))
    return tuple(own), tuple(others)


def choice_from_json(fields: Fields) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether calls may be parallel."""
    value = fields.take("tool_choice")
    if value is None:
        return None, None
    choice = Fields(value, "tool_choice")
    kind = choice.need("type", as_name, is_what="auto, any, tool or none")
    is_parallel = False if choice.read("disable_parallel_tool_use", as_flag) else None
    match _CHOICES.get(kind):
        case "named":
            name = choice.need("name", as_name, is_what="the name of a tool")
            return ToolChoice("named", name), is_parallel
        case ("auto" | "required" | "none") as mode:
            return ToolChoice(mode), is_parallel
    raise wrong(kind, "tool_choice.type", "auto, any, tool or none")


def _tool(tool: Fields) -> ToolDefinition:
    return ToolDefinition(
        tool.need("name", as_name, is_what="the name that the model calls it by"),
        tool.read("description", as_text) or "",
        tool.need("input_schema", as_object, is_what="a JSON Schema object"),
        tool.read("strict", as_flag),
        extra=tool.rest,
    )


def _toolsets(body: dict[str, Any]) -> dict[str, Fields]:
    """By the name of their server; they are no tools any more."""
    tools = body.get("tools")
    if not isinstance(tools, list) or not any(map(_is_toolset, tools)):
        return {}
    sets = [Fields(one, f"tools[{at}]") for at, one in enumerate(tools) if _is_toolset(one)]
    body["tools"] = [one for one in tools if not _is_toolset(one)]
    named = "the name of an entry of mcp_servers"
    return {one.need("mcp_server_name", as_name, is_what=named): one for one in sets}


def _is_toolset(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == _TOOLSET


def _offer(value: object, where: str, toolsets: dict[str, Fields]) -> Offer | None:
    """None for a server that is switched off."""
    fields = Fields(value, where)
    name = fields.need("name", as_name, is_what="what you call the server")
    url = fields.need("url", as_text, is_what=f"{OWN}, or {OWN}/NAME for one of its servers")
    origin = _origin(url, fields.path("url"))
    toolset = toolsets.pop(name, None)
    enabled, allowed = _configured(fields) if toolset is None else _of_toolset(toolset)
    return Offer(name, origin, allowed) if enabled else None


def _origin(url: str, where: str) -> str | None:
    scheme, _, rest = url.partition("/")
    if scheme != OWN:
        raise InvalidRequest(
            f"{where}: the gateway only calls servers that its configuration names; say {OWN} for "
            f"all of its tools, or {OWN}/NAME for those of one server"
        )
    return rest.strip("/") or None


def _configured(fields: Fields) -> tuple[bool, tuple[str, ...] | None]:
    value = fields.read("tool_configuration", as_object) or {}
    config = Fields(value, fields.path("tool_configuration"))
    enabled = config.read("enabled", as_flag)
    names = config.read("allowed_tools", as_list)
    where = config.path("allowed_tools")
    if names is None:
        return enabled is not False, None
    allowed = tuple(as_name(one, f"{where}[{at}]") for at, one in enumerate(names))
    return enabled is not False and bool(allowed), allowed


def _of_toolset(toolset: Fields) -> tuple[bool, tuple[str, ...] | None]:
    usual = toolset.read("default_config", as_object) or {}
    configs = toolset.read("configs", as_object) or {}
    switches = {
        name: _switch(one, f"{toolset.path('configs')}.{name}") for name, one in configs.items()
    }
    if usual.get("enabled") is False:
        allowed = tuple(name for name, is_on in switches.items() if is_on)
        return bool(allowed), allowed
    if not all(switches.values()):
        raise InvalidRequest(
            f"{toolset.path('configs')}: the gateway cannot leave single tools out; say "
            'default_config {"enabled": false}, and enable those that may be used'
        )
    return True, None


def _switch(value: object, where: str) -> bool:
    return Fields(value, where).read("enabled", as_flag) is not False

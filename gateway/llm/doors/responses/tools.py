"""Tools as a client of the Responses API offers them, and which of them it wants to be called."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import (
    Fields,
    as_flag,
    as_list,
    as_name,
    as_object,
    as_text,
    said,
    wrong,
)
from gateway.llm.doors.responses.names import offered_name
from gateway.llm.loop.wish import Offer, Wish
from gateway.llm.messages import Json, ToolChoice, ToolDefinition


@dataclass(frozen=True, slots=True)
class GivenTool:
    """What the client calls a tool, and whether it takes plain text instead of JSON."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


@dataclass(frozen=True, slots=True)
class GivenTools:
    """`by_name` is by the name that models know; `left_out` are types that nobody here can run."""

    definitions: tuple[ToolDefinition, ...] = ()
    by_name: Mapping[str, GivenTool] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def tools_of(values: object) -> GivenTools:
    """Tools of the type mcp were taken before.

    Raises:
        InvalidRequest: naming the field.
    """
    definitions: dict[str, ToolDefinition] = {}
    by_name: dict[str, GivenTool] = {}
    left_out: list[str] = []
    for tool in _flat(values):
        kind = tool.need("type", as_name, is_what="mostly function")
        if kind not in ("function", "custom"):
            left_out.append(kind)
            continue
        name = tool.need("name", as_name, is_what="the name that the model calls it by")
        namespace = tool.read("namespace", as_name)
        known_as = offered_name(name, namespace)
        is_custom = kind == "custom"
        definitions[known_as] = _custom(known_as, tool) if is_custom else _function(known_as, tool)
        by_name[known_as] = GivenTool(name, namespace, is_custom)
    return GivenTools(tuple(definitions.values()), by_name, tuple(dict.fromkeys(left_out)))


def choose(
    value: object, given: GivenTools, wish: Wish
) -> tuple[ToolChoice | None, tuple[ToolDefinition, ...], Wish]:
    """What the model must do, with which of the tools, and which of ours.

    Raises:
        InvalidRequest: the choice is of a tool that is not among them.
    """
    tools = given.definitions
    match value:
        case None:
            return None, tools, wish
        case "none":
            # Nor may it use what its caller usually has of ours.
            return (
                ToolChoice("none"),
                tools,
                wish if wish.offers else replace(wish, is_refused=True),
            )
        case "auto" | "required":
            return ToolChoice(value), tools, wish
        case str():
            raise wrong(value, "tool_choice", "auto, none, required or an object")
    choice = Fields(value, "tool_choice")
    kind = choice.need("type", as_name, is_what="function, mcp, custom or allowed_tools")
    match kind:
        case "function" | "custom":
            return _named(choice, given), tools, wish
        case "mcp":
            return _of_ours(choice, wish), tools, wish
        case "allowed_tools":
            return _allowed(choice, given, wish)
    raise InvalidRequest(
        f"tool_choice.type: {said(kind)} is no tool that the gateway offers to its models; choose "
        "a function, a custom tool or one of a server of the gateway's"
    )


def _flat(values: object) -> list[Fields]:
    """Those of a namespace one by one, each of which says where it came from."""
    tools = []
    for at, value in enumerate(as_list(values, "tools")):
        tool = Fields(value, f"tools[{at}]")
        if not (isinstance(value, Mapping) and value.get("type") == "namespace"):
            tools.append(tool)
            continue
        namespace = tool.need("name", as_name, is_what="the name of the namespace")
        where = tool.path("tools")
        for inner_at, inner in enumerate(tool.read("tools", as_list) or ()):
            path = f"{where}[{inner_at}]"
            tools.append(Fields({**as_object(inner, path), "namespace": namespace}, path))
    return tools


def _function(name: str, tool: Fields) -> ToolDefinition:
    return ToolDefinition(
        name,
        tool.read("description", as_text) or "",
        tool.read("parameters", as_object),
        tool.read("strict", as_flag),
    )


def _custom(name: str, tool: Fields) -> ToolDefinition:
    """A function with one text, which every model can call."""
    described = [tool.read("description", as_text) or ""]
    form = tool.take("format")
    if isinstance(form, Mapping) and form.get("type") == "grammar":
        grammar = form.get("grammar")
        inner = grammar if isinstance(grammar, Mapping) else form
        described.append(
            f"The input must match this {inner.get('syntax', '')} grammar:\n"
            f"{inner.get('definition', '')}"
        )
    text = {"type": "string", "description": "The whole input, as plain text and not as JSON."}
    parameters = {
        "type": "object",
        "properties": {"input": text},
        "required": ["input"],
        "additionalProperties": False,
    }
    return ToolDefinition(name, "\n\n".join(filter(None, described)), parameters)


def _named(choice: Fields, given: GivenTools) -> ToolChoice:
    name = choice.need("name", as_name, is_what="the name of a tool")
    known_as = offered_name(name, choice.read("namespace", as_name))
    if known_as not in given.by_name:
        raise wrong(name, choice.path("name"), "the name of one of the tools")
    return ToolChoice("named", known_as)


def _of_ours(choice: Fields, wish: Wish) -> ToolChoice:
    _labelled(choice, wish)
    name = choice.read("name", as_name)
    return ToolChoice("required") if name is None else ToolChoice("named", name)


def _labelled(choice: Fields, wish: Wish) -> str:
    label = choice.need("server_label", as_name, is_what="the label of a server among the tools")
    if label not in {offer.label for offer in wish.offers}:
        raise wrong(label, choice.path("server_label"), "the label of a server among the tools")
    return label


def _allowed(
    choice: Fields, given: GivenTools, wish: Wish
) -> tuple[ToolChoice, tuple[ToolDefinition, ...], Wish]:
    mode = choice.read("mode", _mode) or "auto"
    names: set[str] = set()
    ours: dict[str, list[str]] = {}
    listed = choice.need("tools", as_list, is_what="a list of tools")
    for at, value in enumerate(listed):
        tool = Fields(value, f"{choice.path('tools')}[{at}]")
        if tool.take("type") == "mcp":
            named = ours.setdefault(_labelled(tool, wish), [])
            name = tool.read("name", as_name)
            named += [] if name is None else [name]
        elif tool.has("name"):
            names.add(_named(tool, given).name or "")
    tools = tuple(tool for tool in given.definitions if tool.name in names)
    offers = tuple(_narrowed(one, ours[one.label]) for one in wish.offers if one.label in ours)
    # A caller that usually has tools of ours did not name them here.
    wish = replace(wish, offers=offers, is_refused=wish.is_refused or not offers)
    return ToolChoice(mode), tools, wish


def _mode(value: object, where: str) -> Literal["auto", "required"]:
    match value:
        case "auto" | "required":
            return value
    raise wrong(value, where, "auto or required")


def _narrowed(offer: Offer, names: list[str]) -> Offer:
    return replace(offer, allowed=tuple(names)) if names else offer


def shown_tools(values: object) -> list[Any]:
    """As an answer repeats them: without the secrets that a client may have sent with them."""
    tools = values if isinstance(values, list) else []
    return [
        {name: value for name, value in tool.items() if name not in ("headers", "authorization")}
        for tool in tools
        if isinstance(tool, dict)
    ]


def custom_input(arguments: str, decoded: Json | None) -> str:
    """The text of a call of a custom tool; a model that wrote no JSON wrote the text itself."""
    text = decoded.get("input") if decoded is not None else None
    return text if isinstance(text, str) else arguments

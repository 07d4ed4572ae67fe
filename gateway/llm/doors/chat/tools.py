"""What a caller of OpenAI's formats says about the gateway's own tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequest
from gateway.llm.dialects.json_fields import (
    Fields,
    as_count,
    as_flag,
    as_list,
    as_name,
    as_object,
    as_text,
    wrong,
)
from gateway.llm.dialects.openai.message import message_to_json
from gateway.llm.doors.chat.message import message_from_json
from gateway.llm.loop.wish import ALWAYS, NEVER, Approval, Offer, Wish
from gateway.llm.messages import Message
from gateway.tools.tool import OWN

# The messages that the gateway added before it gave a call back, for the caller to send along.
WORK = "gateway_work"
_FIELD = "gateway_tools"
_ALL = "*"


def take_wish(body: dict[str, Any]) -> Wish:
    """Take what concerns our tools out of a chat completion's body.

    `gateway_tools` is true for all, or a list of names and patterns; `tools` may have entries of
    the type mcp, whose calls come back to the caller unless `require_approval` is `never`.

    Raises:
        InvalidRequest: naming the field.
    """
    fields = Fields({name: body.pop(name, None) for name in (_FIELD, "max_tool_calls")}, "")
    offers, is_refused = _own_field(fields)
    tools = body.get("tools")
    if isinstance(tools, list) and any(map(_is_mcp, tools)):
        places = [(at, tool) for at, tool in enumerate(tools) if _is_mcp(tool)]
        named = (offer_from_json(tool, f"tools[{at}]", usual=ALWAYS) for at, tool in places)
        offers = (*offers, *named)
        body["tools"] = [tool for tool in tools if not _is_mcp(tool)] or None
    return Wish(offers, fields.read("max_tool_calls", as_count), is_refused=is_refused)


def offer_from_json(value: object, where: str, *, usual: Approval) -> Offer:
    """A tool of the type mcp; `usual` holds where it does not say `require_approval`.

    Raises:
        InvalidRequest: it names a server that is not one of the gateway's.
    """
    fields = Fields(value, where)
    label = fields.need("server_label", as_name, is_what="the name of one of the gateway's servers")
    if not label.isprintable():
        # Models read it before each result, and people in each event.
        raise wrong(label, fields.path("server_label"), "a name in printable letters")
    url = fields.read("server_url", as_text)
    names, only_reads = _allowed(fields)
    return Offer(
        label,
        _origin(label, url, fields.path("server_url")),
        names,
        _approval(fields.take("require_approval"), fields.path("require_approval"), usual),
        only_reads=only_reads,
    )


def work_to_json(messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    return [_kept(message) for message in messages]


def with_work(messages: Sequence[Message], where: str) -> tuple[Message, ...]:
    """The messages, with those put back for which one of them stands.

    Raises:
        InvalidRequest: they are not as the gateway gave them.
    """
    whole: list[Message] = []
    for at, message in enumerate(messages):
        if WORK not in message.extra:
            whole.append(message)
            continue
        path = f"{where}[{at}].{WORK}"
        work = as_list(message.extra[WORK], path)
        whole.extend(message_from_json(one, f"{path}[{n}]") for n, one in enumerate(work))
    return tuple(whole)


def _kept(message: Message) -> Mapping[str, Any]:
    written = message_to_json(message)
    return {**written, "is_error": True} if message.is_error else written


def _is_mcp(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == "mcp"


def _own_field(fields: Fields) -> tuple[tuple[Offer, ...], bool]:
    value = fields.take(_FIELD)
    if value is None:
        return (), False
    if isinstance(value, list):
        names = tuple(as_name(one, f"{_FIELD}[{at}]") for at, one in enumerate(value))
    else:
        names = (_ALL,) if _all(value) else ()
    return ((Offer(OWN, None, names),) if names else ()), not names


def _all(value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(value, _FIELD, "true, false, or a list of names and patterns")
    return value


def _origin(label: str, url: str | None, where: str) -> str | None:
    """None is all; the gateway calls no server but those that its configuration names."""
    if url is None:
        return None if label == OWN else label
    scheme, _, rest = url.partition("/")
    if scheme != OWN:
        raise InvalidRequest(
            f"{where}: the gateway only calls servers that its configuration names; leave it out "
            f"and give the server's name as server_label, or say {OWN} for all tools, or "
            f"{OWN}/NAME"
        )
    return rest.strip("/") or None


def _allowed(fields: Fields) -> tuple[tuple[str, ...] | None, bool]:
    """The names, None for all, and whether only those that read are meant."""
    value, where = fields.take("allowed_tools"), fields.path("allowed_tools")
    only_reads = False
    if isinstance(value, Mapping):
        wanted = Fields(value, where)
        only_reads = wanted.read("read_only", as_flag) or False
        value = wanted.take("tool_names")
    if value is None:
        return None, only_reads
    names = as_list(value, where)
    return tuple(as_name(one, f"{where}[{at}]") for at, one in enumerate(names)), only_reads


def _approval(value: object, where: str, usual: Approval) -> Approval:
    match value:
        case None:
            return usual
        case "never":
            return NEVER
        case "always":
            return ALWAYS
        case str():
            raise wrong(value, where, "never, always or an object with lists of tools")
    wanted = as_object(value, where)
    never, always = _names(wanted, "never", where), _names(wanted, "always", where)
    if always is not None and never is None:
        return Approval(is_usual=False, exceptions=always)
    return Approval(is_usual=True, exceptions=never or frozenset())


def _names(wanted: Mapping[str, Any], name: str, where: str) -> frozenset[str] | None:
    inner = wanted.get(name)
    if inner is None:
        return None
    fields = Fields(inner, f"{where}.{name}")
    names = fields.need("tool_names", as_list, is_what="a list of names of tools")
    return frozenset(
        as_name(one, f"{fields.path('tool_names')}[{n}]") for n, one in enumerate(names)
    )

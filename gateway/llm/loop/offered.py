"""The tools that one request's model is offered: those that the caller wished for and may use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from gateway.errors import InvalidRequest
from gateway.llm.loop.wish import Offer, Wish
from gateway.llm.messages import ChatRequest, ToolDefinition
from gateway.text import shown
from gateway.tools.tool import OWN, Effect, Tool

MOST_TOOLS = 128  # what OpenAI takes in one request
_PATTERN_SIGNS = "*?["
_MOST_SAID = 20


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """`label` is what the caller calls the server that the tool is of, or else its origin."""

    tool: Tool
    label: str
    needs_approval: bool

    @property
    def definition(self) -> ToolDefinition:
        return ToolDefinition(self.tool.name, self.tool.description, self.tool.input_schema)


@dataclass(frozen=True, slots=True)
class Offered:
    """By name; `theirs` are the names of the tools that the caller runs itself."""

    by_name: Mapping[str, OfferedTool] = field(default_factory=dict)
    theirs: frozenset[str] = frozenset()
    has_others: bool = False

    @property
    def tools(self) -> Sequence[OfferedTool]:
        return tuple(self.by_name.values())

    def get(self, name: str) -> OfferedTool | None:
        return self.by_name.get(name)

    def only_reads(self, name: str) -> bool:
        offered = self.by_name.get(name)
        return offered is not None and offered.tool.effect is Effect.READ

    def is_ours(self, name: str) -> bool:
        """Whether the gateway answers a call; one of a tool that nobody has, it answers too."""
        if (offered := self.by_name.get(name)) is not None:
            return not offered.needs_approval
        return bool(self.by_name) and not self.has_others and name not in self.theirs


NOTHING = Offered()


def offered(tools: Sequence[Tool], wish: Wish, request: ChatRequest) -> Offered:
    """What the wish means among the caller's tools; a name that the caller uses itself is its own.

    A tool that is offered twice needs approval if one of the offers says so.

    Raises:
        InvalidRequest: no tool is of the origin, or has the name, that is wished for.
    """
    theirs = frozenset(tool.name for tool in request.tools)
    by_name: dict[str, OfferedTool] = {}
    for offer in wish.offers:
        for tool in _chosen(tools, offer):
            if tool.name not in theirs:
                asks = offer.approval.is_needed(tool.name)
                label = tool.origin if offer.label == OWN else offer.label
                known = by_name.setdefault(tool.name, OfferedTool(tool, label, asks))
                by_name[tool.name] = replace(known, needs_approval=known.needs_approval or asks)
    if len(by_name) + len(theirs) > MOST_TOOLS:
        raise InvalidRequest(
            f"tools: {len(by_name) + len(theirs)} tools are more than models take, which is "
            f"{MOST_TOOLS}; name fewer in allowed_tools"
        )
    # Sorted, so that a provider's cache of the prompt holds while the tools are the same.
    in_order = {name: by_name[name] for name in sorted(by_name)}
    return Offered(in_order, theirs, has_others=bool(request.other_tools))


def _chosen(tools: Sequence[Tool], offer: Offer) -> Sequence[Tool]:
    of_origin = [tool for tool in tools if offer.origin in (None, tool.origin)]
    if not of_origin and offer.origin is not None:
        raise InvalidRequest(
            f"tools: the gateway has no tools of {shown(offer.origin or OWN)!r} for this caller; "
            f"there are those of {', '.join(_origins(tools)) or 'nobody'}"
        )
    if offer.only_reads:
        of_origin = [tool for tool in of_origin if tool.effect is Effect.READ]
    if offer.allowed is None:
        return [tool for tool in of_origin if not _must_be_named(tool)]
    for pattern in () if offer.is_usual else offer.allowed:
        _check(pattern, of_origin)
    return [tool for tool in of_origin if any(_reaches(one, tool) for one in offer.allowed)]


def _check(pattern: str, tools: Sequence[Tool]) -> None:
    if _is_pattern(pattern) or any(tool.name == pattern for tool in tools):
        return
    names = [tool.name for tool in tools]
    near = get_close_matches(pattern, names, n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    more = f" and {len(names) - _MOST_SAID} more" if len(names) > _MOST_SAID else ""
    raise InvalidRequest(
        f"tools: no tool of this caller is named {shown(pattern)!r}.{meant} There are: "
        f"{', '.join(names[:_MOST_SAID])}{more}"
    )


def _reaches(pattern: str, tool: Tool) -> bool:
    if not _is_pattern(pattern):
        return pattern == tool.name
    return fnmatchcase(tool.name, pattern) and not _must_be_named(tool)


def _must_be_named(tool: Tool) -> bool:
    return tool.effect is Effect.DESTROY or tool.spends


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in _PATTERN_SIGNS)


def _origins(tools: Sequence[Tool]) -> Iterator[str]:
    return iter(dict.fromkeys(tool.origin for tool in tools))

"""The tools of another MCP server as tools of ours, those that may be shown and no others."""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import is_not
from typing import Any

from gateway.downstream.mcp.messages import ListedTool
from gateway.downstream.mcp.server import DEADLINE_SECONDS, McpServer
from gateway.downstream.translation import plain, unreadable
from gateway.text import displayable, displayable_json
from gateway.tools import progress
from gateway.tools.arguments import check_schema
from gateway.tools.downstream import (
    MAX_DESCRIPTION_CHARACTERS,
    PORTABLE_NAME,
    WARNING,
    matches,
)
from gateway.tools.mcp_items import described, shown_items
from gateway.tools.references import check_references
from gateway.tools.tool import Answer, Arguments, Effect, Tool

logger = logging.getLogger(__name__)

_MOST_NAME_CHARACTERS = 60
_MAX_TITLE_CHARACTERS = 100
# A server may have other tools every second, and nobody should have to remember all of them.
_MOST_NAMES_HAD = 2_000
_MOST_LEFT_OUT = 1_000
# The server gives up first: it knows what became of the call.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class NamedTool:
    """One tool that the settings name; what they say of it wins over what the server says."""

    name: str
    remote_name: str
    description: str | None = None
    effect: Effect | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RemoteExposure:
    """Which tools of a server are shown, and what a call of them may change.

    `named` are always shown; of the others those that `allow` matches and `deny` does not. A tool
    writes unless a pattern of `read` says otherwise, or its own hint where those are trusted.
    """

    named: Sequence[NamedTool] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    read: Sequence[str] = ()
    destructive: Sequence[str] = ()
    trusts_hints: bool = False
    deadline_seconds: float = DEADLINE_SECONDS

    def shows(self, tool: str) -> bool:
        return matches(tool, self.allow) and not matches(tool, self.deny)

    def effect(self, tool: ListedTool) -> Effect:
        if matches(tool.name, self.destructive):
            return Effect.DESTROY
        if matches(tool.name, self.read):
            return Effect.READ
        if tool.is_destructive:
            # Bad news of a server about itself can be believed.
            return Effect.DESTROY
        return Effect.READ if tool.is_read_only and self.trusts_hints else Effect.WRITE


class RemoteTools:
    """Offers a server's tools as it lists them now, also while it is down.

    `reserved` are names that no unnamed tool may have, `earlier` the servers before this one,
    whose names come first; what one of them was ever called, no tool of a later server is called
    without its server's name. A tool whose own name is not portable, or not free, is called
    `{server}_{tool}`. A call raises what `McpServer.call` raises.
    """

    def __init__(
        self,
        server: McpServer,
        exposure: RemoteExposure,
        *,
        reserved: Collection[str] = (),
        earlier: Sequence["RemoteTools"] = (),
    ) -> None:
        self._server = server
        self._exposure = exposure
        self._reserved = {*reserved, *(tool.name for tool in exposure.named)}
        self._earlier = earlier
        self._listed: tuple[tuple[object, ...], Sequence[Tool]] = ((), ())
        self._had: set[str] = set()
        self._left_out: set[str] = set()

    async def tools(self) -> Sequence[Tool]:
        """The same object as before, as long as nothing has changed."""
        return self.known()

    def known(self) -> Sequence[Tool]:
        before = tuple(tools.known() for tools in self._earlier)
        state, (known_state, known) = (self._server.revision, *before), self._listed
        if len(state) != len(known_state) or any(map(is_not, state, known_state)):
            taken = set().union(*(tools.had() for tools in self._earlier))
            self._tell_of_lost({tool.name for tool in known} & taken)
            known = self._shown(self._reserved | taken)
            self._listed = (state, known)
            names = {tool.name for tool in known}
            if len(self._had) < _MOST_NAMES_HAD:
                self._had |= names
        return known

    def had(self) -> Collection[str]:
        """The names of its tools, and of those that it had before."""
        return {*self._had, *(tool.name for tool in self.known())}

    def _shown(self, taken: Collection[str]) -> Sequence[Tool]:
        listed = {tool.name: tool for tool in self._server.tools}
        shown: dict[str, Tool] = {}
        for named in self._exposure.named:
            if tool := self._named(named, listed.get(named.remote_name), is_known=bool(listed)):
                shown[tool.name] = tool
        named_already = {named.remote_name for named in self._exposure.named}
        for name in sorted(listed):
            if name in named_already or not self._exposure.shows(name):
                continue
            free_name = _free_name(self._server.name, name, {*taken, *shown})
            if tool := self._tool(NamedTool(free_name, name), listed[name]):
                shown[tool.name] = tool
        return tuple(shown[name] for name in sorted(shown))

    def _named(self, named: NamedTool, listed: ListedTool | None, *, is_known: bool) -> Tool | None:
        """Until a server was reached, what is stated in full is offered on trust."""
        if listed is None and (is_known or named.parameters is None):
            if is_known:
                self._leave_out(named.name, f"{self._server.name} has no {named.remote_name}")
            return None
        return self._tool(named, listed or _unlisted(named))

    def _tool(self, named: NamedTool, listed: ListedTool) -> Tool | None:
        effect = named.effect or self._exposure.effect(listed)
        try:
            schema = _input_schema(named.parameters or listed.input_schema)
        except ValueError as error:
            self._leave_out(named.name, str(error))
            return None
        # No output schema: what is cleaned may no longer be what the server promised.
        return Tool(
            name=named.name,
            title=_title(named, listed),
            description=_description(named, listed, effect, server=self._server.name),
            input_schema=schema,
            effect=effect,
            is_open_world=True,
            call=_Call(self._server, listed.name, effect, self._exposure.deadline_seconds),
            origin=self._server.name,
            deadline_seconds=self._exposure.deadline_seconds + _GRACE_SECONDS,
            # Believed without trust in its hints: a server can do its work twice anyway.
            takes_key=listed.takes_key,
        )

    def _tell_of_lost(self, names: Collection[str]) -> None:
        for name in sorted(names):
            logger.warning(
                "tool=%s was of mcp=%s; now an earlier server has that name",
                name,
                self._server.name,
            )

    def _leave_out(self, name: str, why: str) -> None:
        said = f"{plain(name, limit=80)!r}: {plain(why)}"
        if said not in self._left_out and len(self._left_out) < _MOST_LEFT_OUT:
            self._left_out.add(said)
            logger.warning("left out tool=%s", said)


@dataclass(frozen=True, slots=True)
class _Call:
    server: McpServer
    tool: str
    effect: Effect
    deadline_seconds: float

    async def __call__(self, arguments: Arguments) -> Answer:
        is_read = self.effect is Effect.READ
        answer = await self.server.call(
            self.tool,
            arguments,
            is_read=is_read,
            deadline_seconds=self.deadline_seconds,
            on_progress=progress.tell,
        )
        items = shown_items(answer.items)
        if answer.structured is None:
            return Answer({"result": described(items)}, items=items)
        try:
            content = displayable_json(answer.structured)
        except ValueError as error:
            why = f"sent an answer for {plain(self.tool, limit=80)} that cannot be shown: {error}"
            raise unreadable(self.server.name, why, is_read=is_read) from error
        # Texts beside a structured answer say the same once more.
        says_more = any(item["type"] != "text" for item in items)
        return Answer(content, items=items if says_more else None)


def _free_name(server: str, tool: str, taken: Collection[str]) -> str:
    if PORTABLE_NAME.fullmatch(tool) and tool not in taken:
        return tool
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", f"{server}_{tool}").lower()
    name = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    if len(name) <= _MOST_NAME_CHARACTERS and name not in taken:
        return name
    digest = sha256(f"{server}/{tool}".encode()).hexdigest()[:8]
    return f"{name[: _MOST_NAME_CHARACTERS - 9]}_{digest}"


def _unlisted(named: NamedTool) -> ListedTool:
    return ListedTool(named.remote_name, "", "", {}, is_read_only=None, is_destructive=None)


def _input_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Raises:
        ValueError: no client could read it.
    """
    # Clients refuse a whole list of tools for one schema that does not state its type.
    cleaned = {"type": "object", **displayable_json(schema)}
    check_schema(cleaned)
    # Providers refuse a whole request for one reference that they cannot follow.
    check_references(cleaned)
    return cleaned


def _title(named: NamedTool, listed: ListedTool) -> str:
    title = plain(displayable(listed.title), limit=_MAX_TITLE_CHARACTERS)
    return title or named.name.replace("_", " ").capitalize()


def _description(named: NamedTool, listed: ListedTool, effect: Effect, *, server: str) -> str:
    said = displayable(named.description or listed.description).strip()
    said = said or f"The tool {named.name} of the MCP server {server}."
    # However much a server says, what the gateway adds must be read.
    warning = WARNING if effect is Effect.DESTROY else ""
    return said[: MAX_DESCRIPTION_CHARACTERS - len(warning)] + warning

"""`tools.yaml`: other MCP servers, how to reach them, and which of their tools are shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from gateway.config.files import read
from gateway.config.formats import WebUrl
from gateway.config.strict import (
    EnvironmentText,
    Listed,
    Name,
    Seconds,
    Strict,
    Text,
    place,
    validated,
)
from gateway.downstream.mcp.child import Command
from gateway.downstream.mcp.http_client import Endpoint
from gateway.downstream.mcp.server import DEADLINE_SECONDS, MAX_CONCURRENT
from gateway.downstream.mcp.transports import SseEndpoint, Way
from gateway.errors import ConfigurationError
from gateway.tasks.task import TASK_TOOLS
from gateway.tools.arguments import check_schema
from gateway.tools.downstream import PORTABLE_NAME
from gateway.tools.remote_mcp import NamedTool, RemoteExposure
from gateway.tools.tool import Effect

# What a program needs to run at all, and what no key is kept in.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ")
BUILTIN = "builtin"
_EFFECTS = {"read": Effect.READ, "write": Effect.WRITE, "destructive": Effect.DESTROY}
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def _portable(name: str) -> str:
    if not PORTABLE_NAME.fullmatch(name):
        raise ValueError("takes a-z, 0-9 and _, beginning with a letter, at most 60 characters")
    return name


def _texts(given: Any) -> Any:
    """Checked as a whole, because what is said of one value would show it."""
    values = given.values() if isinstance(given, dict) else given
    if isinstance(values, Iterable) and not all(isinstance(one, str) for one in values):
        raise ValueError("takes texts only: a number stands in quotes")
    return given


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    check_schema(schema)
    return schema


ToolName = Annotated[str, AfterValidator(_portable)]
Schema = Annotated[dict[str, Any], AfterValidator(_schema)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Secret = Annotated[Text, Field(pattern=r"^[^\r\n\x00]*$")]


class McpServerConfig(Strict):
    """One server: a `command` that is run, or a `url`; and which of its tools are shown."""

    command: Listed[Text] | None = None
    args: Annotated[Listed[str], BeforeValidator(_texts), Field(repr=False)] = ()
    env: Annotated[dict[Variable, str], BeforeValidator(_texts), Field(repr=False)] = Field(
        default_factory=dict
    )
    inherit_env: Listed[Variable] = INHERITED
    cwd: Text | None = None
    url: WebUrl | None = None
    transport: Literal["http", "sse"] | None = None
    headers: Annotated[dict[HeaderName, Secret], Field(repr=False)] = Field(default_factory=dict)
    allow: Listed[Text] = ()
    deny: Listed[Text] = ()
    read: Listed[Text] = ()
    destructive: Listed[Text] = ()
    trust_hints: bool = False
    deadline_seconds: Seconds = DEADLINE_SECONDS
    max_concurrent: Annotated[int, Field(ge=1, le=1_000)] = MAX_CONCURRENT

    @field_validator("command", mode="before")
    @classmethod
    def _of_one_word(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> "McpServerConfig":
        if bool(self.command) == bool(self.url):
            raise ValueError("takes either a command or a url")
        of_the_other = _OF_URLS if self.command else _OF_COMMANDS
        if strange := sorted(of_the_other & self.model_fields_set):
            way = "command" if self.command else "url"
            raise ValueError(f"{', '.join(strange)}: makes no sense with a {way}")
        return self

    def way(self, env: Mapping[str, str], *, folder: Path) -> Way:
        if self.command:
            inherited = {name: env[name] for name in self.inherit_env if name in env}
            return Command(
                (*self.command, *self.args),
                {**inherited, **self.env},
                folder / Path(self.cwd).expanduser() if self.cwd else None,
            )
        endpoint = Endpoint(cast(str, self.url), self.headers)
        is_sse = self.transport == "sse" or (
            self.transport is None and endpoint.url.rstrip("/").endswith("/sse")
        )
        return SseEndpoint(endpoint) if is_sse else endpoint


class RemoteToolConfig(Strict):
    """One tool; `server` says how to reach its server where nothing else does."""

    name: ToolName
    mcp_server: Name
    mcp_tool: Text | None = None
    description: Text | None = None
    effect: Literal["read", "write", "destructive"] | None = None
    parameters: Schema | None = None
    server: McpServerConfig | None = None

    @property
    def tool(self) -> NamedTool:
        return NamedTool(
            self.name,
            self.mcp_tool or self.name,
            description=self.description,
            effect=_EFFECTS[self.effect] if self.effect else None,
            parameters=self.parameters,
        )


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A server as the rest of the gateway takes it."""

    name: str
    way: Way
    exposure: RemoteExposure
    max_concurrent: int


class ToolsFile(Strict):
    """Keys and values, or a plain list of tools.

    `tasks` names the server whose task list takes the place of the gateway's own, or `builtin`.
    """

    stated_servers: Annotated[dict[Name, McpServerConfig], Field(alias="servers")] = Field(
        default_factory=dict
    )
    stated_tools: Annotated[Listed[RemoteToolConfig], Field(alias="tools")] = ()
    tasks: Name | None = None

    @model_validator(mode="after")
    def _each_name_stands_once(self) -> "ToolsFile":
        names = [tool.name for tool in self.stated_tools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tools: two are called {', '.join(twice)}")
        of_tools = [tool.mcp_server for tool in self.stated_tools if tool.server]
        named = [*self.stated_servers, *of_tools]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"servers: it is said twice how to reach {', '.join(twice)}")
        for tool in self.stated_tools:
            if tool.mcp_server not in named:
                there_are = ", ".join(named) or "none"
                raise ValueError(
                    f"tools: {tool.name} is of the server {tool.mcp_server}, which nothing says "
                    f"how to reach; there are: {there_are}"
                )
        return self

    @model_validator(mode="after")
    def _one_server_has_the_tasks(self) -> "ToolsFile":
        for tool in self.stated_tools if self.tasks else ():
            if tool.name in TASK_TOOLS and tool.mcp_server != self.task_server:
                raise ValueError(
                    f"tasks: is {self.tasks}, but the tool {tool.name} is of {tool.mcp_server}; "
                    "name the same server, or give the tool another name"
                )
        return self

    @property
    def task_server(self) -> str | None:
        """Whose tasks take the place of the gateway's own; None, if those are used.

        Where nothing says it, the first server of which one of those tools is named.
        """
        if self.tasks is not None:
            return None if self.tasks == BUILTIN else self.tasks
        of_tools = [one.mcp_server for one in self.stated_tools if one.name in TASK_TOOLS]
        of_servers = [
            name
            for name, server in self.stated_servers.items()
            if not {*server.allow, *server.read, *server.destructive}.isdisjoint(TASK_TOOLS)
        ]
        return next(iter((*of_tools, *of_servers)), None)

    @property
    def tool_names(self) -> Sequence[str]:
        """Those that are stated, which no other tool may have."""
        return tuple(tool.name for tool in self.stated_tools)

    def servers(self, env: Mapping[str, str], *, folder: Path) -> Sequence[RemoteServer]:
        """`env` is what children inherit from, by allow-list; paths begin at `folder`."""
        of_tools = {tool.mcp_server: tool.server for tool in self.stated_tools if tool.server}
        return tuple(
            RemoteServer(
                name=name,
                way=server.way(env, folder=folder),
                exposure=self._exposure(name, server),
                max_concurrent=server.max_concurrent,
            )
            for name, server in {**self.stated_servers, **of_tools}.items()
        )

    def _exposure(self, name: str, server: McpServerConfig) -> RemoteExposure:
        return RemoteExposure(
            named=tuple(tool.tool for tool in self.stated_tools if tool.mcp_server == name),
            allow=server.allow,
            deny=server.deny,
            read=server.read,
            destructive=server.destructive,
            trusts_hints=server.trust_hints,
            deadline_seconds=server.deadline_seconds,
        )


def check_task_server(name: str | None, services: Sequence[str]) -> None:
    """
    Raises:
        ConfigurationError: none of these is called so.
    """
    if name is not None and name not in services:
        raise ConfigurationError(
            f"tools_file: tasks: {name!r} is no server; it takes {BUILTIN}, or one of those that "
            f"are configured: {', '.join(services) or 'none'}"
        )


def read_tools(file: Path, env: Mapping[str, str]) -> ToolsFile:
    """
    Raises:
        ConfigurationError: names the file, the key, what is wrong and what would be right.
    """
    tools = _plain_list(file)
    values = read(file, env) if tools is None else {"tools": tools}
    return validated(ToolsFile, _filled(values, env, file.name, ()), where=file.name)


def _plain_list(file: Path) -> list[Any] | None:
    """The file's tools, where it is nothing but a list of them."""
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None  # `read` says better what is wrong with it
    return values if isinstance(values, list) else None


def _filled(value: Any, env: Mapping[str, str], file_name: str, at: tuple[str | int, ...]) -> Any:
    """With variables in the middle of texts too, such as `Bearer ${TOKEN}`."""
    if isinstance(value, dict):
        return {name: _filled(one, env, file_name, (*at, str(name))) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, env, file_name, (*at, number)) for number, one in enumerate(value)]
    if not isinstance(value, str) or isinstance(value, EnvironmentText):
        return value
    names = _VARIABLE.findall(value)
    if missing := [name for name in names if not env.get(name)]:
        raise ConfigurationError(
            f"{file_name}: {place(at)}: the environment has no {missing[0]}; set it or leave it"
        )
    filled = _VARIABLE.sub(lambda found: env[found[1]], value)
    return EnvironmentText(filled, names[0]) if names else value


_OF_COMMANDS = {"args", "env", "inherit_env", "cwd"}
_OF_URLS = {"transport", "headers"}

"""The methods of a gRPC service as tools."""

import logging
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import ExposedMethod, ToolSpec
from gateway.text import displayable, shown
from gateway.tools import progress
from gateway.tools.downstream import MAX_DESCRIPTION_CHARACTERS, PORTABLE_NAME, WARNING
from gateway.tools.tool import Answer, Arguments, Effect, Tool

logger = logging.getLogger(__name__)

MAX_NAME_CHARACTERS = 60
HASH_CHARACTERS = 8
SLACK_SECONDS = 1.0  # so that the service's own deadline, which says more, comes first

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class _Shown:
    method: ExposedMethod
    spec: ToolSpec


class MethodTools:
    """Offers a service's methods as they are known now, also while it is down.

    A method is called `{service}_{method}` in small letters, unless something else is said; none
    has a `reserved` name, whatever its service says. A call raises what `GrpcService.call`
    raises, and tells how many messages of a stream have come.
    """

    def __init__(self, service: GrpcService, *, reserved: Collection[str] = ()) -> None:
        self._service = service
        self._reserved = reserved
        self._revision: object = None
        self._listed: Sequence[Tool] = ()

    async def tools(self) -> Sequence[Tool]:
        if self._service.revision is not self._revision:
            self._revision = self._service.revision
            self._listed = self._tools()
        return self._listed

    def _tools(self) -> Sequence[Tool]:
        methods = [_Shown(one, one.tool) for one in self._service.methods if one.tool is not None]
        names = tool_names(self._service.name, methods, reserved=self._reserved)
        tools = [self._tool(name, one) for name, one in zip(names, methods, strict=True)]
        return sorted(tools, key=lambda tool: tool.name)

    def _tool(self, name: str, one: _Shown) -> Tool:
        method, spec = one.method, one.spec
        effect = Effect(method.effect)

        async def call(arguments: Arguments) -> Answer:
            return Answer(await self._service.call(method, arguments, on_message=_tell))

        return Tool(
            name=name,
            title=displayable(spec.title) or _title(method),
            description=_description(method, effect),
            input_schema=method.input_schema,
            output_schema=method.output_schema,
            effect=effect,
            is_open_world=True,
            call=call,
            origin=self._service.name,
            deadline_seconds=self._service.seconds(method) + SLACK_SECONDS,
            takes_key=spec.takes_key,
        )


def tool_names(
    service: str, methods: Sequence[_Shown], *, reserved: Collection[str] = ()
) -> Sequence[str]:
    """One portable name for each, which does not depend on their order.

    A stated name counts if it is portable, free and the only one; methods of two services in one
    that are called alike have the inner service's name too.
    """
    stated = Counter(one.spec.name for one in methods)
    short = Counter(_named(service, one.method.name) for one in methods)
    taken = set(reserved)
    names: dict[str, str] = {}
    for one in sorted(methods, key=lambda each: (not each.spec.name, each.method.full_name)):
        is_alone = stated[one.spec.name] == 1 and one.spec.name not in reserved
        name = _chosen(service, one, is_alone=is_alone)
        if not name:
            name = _named(service, one.method.name)
            if short[name] > 1:
                name = _named(service, ".".join(one.method.full_name.split(".")[-2:]))
        names[one.method.full_name] = _fitting(name, one.method, taken)
        taken.add(names[one.method.full_name])
    return [names[one.method.full_name] for one in methods]


def _chosen(service: str, one: _Shown, *, is_alone: bool) -> str:
    name = one.spec.name
    if not name or (is_alone and PORTABLE_NAME.fullmatch(name)):
        return name
    why = "works with no client" if is_alone else "is that of several methods or of another tool"
    logger.warning("downstream=%s the name %r of a tool %s", service, shown(name), why)
    return ""


def _named(service: str, method: str) -> str:
    snake = re.sub(r"[^a-z0-9]+", "_", f"{service}_{_WORD_BEGINS.sub('_', method)}".lower())
    return snake.strip("_") if snake[:1].isalpha() else f"grpc_{snake.strip('_')}"


def _fitting(name: str, method: ExposedMethod, taken: set[str]) -> str:
    """Shortened, or told apart, by the end of a hash that stays the same."""
    if len(name) <= MAX_NAME_CHARACTERS and name not in taken:
        return name
    digest = sha256(method.full_name.encode()).hexdigest()[:HASH_CHARACTERS]
    return f"{name[: MAX_NAME_CHARACTERS - HASH_CHARACTERS - 1].rstrip('_')}_{digest}"


def _title(method: ExposedMethod) -> str:
    words = _WORD_BEGINS.sub(" ", method.name).replace("_", " ").lower()
    return f"{words.capitalize()} ({method.full_name.split('.')[-2]})"


def _description(method: ExposedMethod, effect: Effect) -> str:
    """The service's own words; a method without any says at least what it is."""
    said = displayable(method.description).strip()
    said = (
        said
        or f"The method {method.name} of the gRPC service {method.full_name.rpartition('.')[0]}."
    )
    # However much a service says, what the gateway adds must be read.
    warning = WARNING if effect is Effect.DESTROY else ""
    return said[: MAX_DESCRIPTION_CHARACTERS - len(warning)] + warning


async def _tell(count: int) -> None:
    await progress.tell(count, None, f"{count} message{'s' if count > 1 else ''}")

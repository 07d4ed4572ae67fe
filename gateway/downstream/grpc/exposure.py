"""Which methods of a service may be called, and as what; whatever nobody named stays hidden."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.downstream.grpc.annotations import OptionReader, Options
from gateway.downstream.grpc.comments import comments
from gateway.downstream.grpc.descriptors import Descriptors
from gateway.downstream.grpc.document_checks import check_listing, id_fields, near
from gateway.downstream.grpc.message_schema import input_schema, output_schema
from gateway.downstream.grpc.methods import (
    DocumentSpec,
    Effect,
    ExposedMethod,
    MethodExposure,
    Saying,
    ToolSpec,
)
from gateway.downstream.service import Method

MAX_FOUND = 5_000  # methods, shown or not
MAX_SHOWN = 500
MAX_SCHEMA_CHARACTERS = 4 * 1024 * 1024  # of all that are shown
_TOO_MANY = (
    f"{MAX_SHOWN} methods are the most, and so are schemas of {MAX_SCHEMA_CHARACTERS:,} characters"
)

_GRAVITY: Mapping[Effect, int] = {"read": 0, "write": 1, "destroy": 2}


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method that may be called, and the messages that go and come."""

    method: ExposedMethod
    wire: Method


@dataclass(frozen=True, slots=True)
class Exposed:
    """By path. `mistakes` say what was left out and why, `unsupported` which methods stream what
    the caller sends."""

    pool: DescriptorPool
    by_path: Mapping[str, Rpc]
    mistakes: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[ExposedMethod, ...]:
        return tuple(one.method for one in self.by_path.values())


@dataclass(frozen=True, slots=True)
class _Found:
    """One method as the descriptors have it."""

    descriptor: MethodDescriptor
    options: Options
    is_streaming: bool

    @property
    def full_name(self) -> str:
        return self.descriptor.full_name

    @property
    def service(self) -> str:
        return self.full_name.rpartition(".")[0]


def expose(descriptors: Descriptors, exposure: MethodExposure) -> Exposed:
    """Raises:
    ValueError: the descriptors contradict each other, or have too many methods.
    """
    pool = descriptors.pool()
    found, unsupported = _found(descriptors, pool)
    return _Exposing(descriptors, pool, found, exposure).exposed(unsupported)


def _found(descriptors: Descriptors, pool: DescriptorPool) -> tuple[dict[str, _Found], list[str]]:
    reader = OptionReader(pool)
    found: dict[str, _Found] = {}
    unsupported: list[str] = []
    for number, (descriptor, proto) in enumerate(_methods(descriptors, pool)):
        if number == MAX_FOUND:
            raise ValueError(f"it has more than {MAX_FOUND} methods")
        if proto.client_streaming:
            unsupported.append(descriptor.full_name)
            continue
        options = reader.options(proto)
        found[descriptor.full_name] = _Found(descriptor, options, proto.server_streaming)
    return found, unsupported


def _methods(
    descriptors: Descriptors, pool: DescriptorPool
) -> Iterator[tuple[MethodDescriptor, MethodDescriptorProto]]:
    for file in descriptors.files:
        for service in file.service:
            name = f"{file.package}.{service.name}" if file.package else service.name
            if name not in descriptors.services:
                continue
            methods = pool.FindServiceByName(name).methods_by_name
            for method in service.method:
                yield methods[method.name], method


class _Exposing:
    """What the protos and the configuration say, put together; mistakes are collected."""

    def __init__(
        self,
        descriptors: Descriptors,
        pool: DescriptorPool,
        found: Mapping[str, _Found],
        exposure: MethodExposure,
    ) -> None:
        self._pool = pool
        self._found = found
        self._exposure = exposure
        self._comments = dict(pair for file in descriptors.files for pair in comments(file))
        self._mistakes = list(descriptors.mistakes)
        self._kinds: set[str] = set()
        self._methods_left = MAX_SHOWN
        self._characters_left = MAX_SCHEMA_CHARACTERS

    def exposed(self, unsupported: Sequence[str]) -> Exposed:
        self._check_names(unsupported)
        shown = [shown for one in self._found.values() if (shown := self._shown(one))]
        listing = self._listing({method.full_name: method for method in shown})
        by_path = {method.path: self._rpc(method) for method in (*shown, *listing)}
        ordered = {path: by_path[path] for path in sorted(by_path)}
        return Exposed(self._pool, ordered, tuple(self._mistakes), tuple(unsupported))

    def _check_names(self, unsupported: Sequence[str]) -> None:
        """A name in the configuration that leads nowhere is most likely misspelt."""
        lists = (self._exposure.read, self._exposure.write, self._exposure.destructive)
        for pattern in dict.fromkeys([*(one for each in lists for one in each), *self._sayings]):
            if any(fnmatchcase(name, pattern) for name in self._found):
                continue
            if any(fnmatchcase(name, pattern) for name in unsupported):
                self._mistakes.append(f"{pattern} streams what is sent, which is not supported")
                continue
            self._mistakes.append(f"{pattern} names no method{near(pattern, self._found)}")

    @property
    def _sayings(self) -> Mapping[str, Saying]:
        return self._exposure.sayings

    def _shown(self, one: _Found) -> ExposedMethod | None:
        says = self._sayings.get(one.full_name, Saying())
        if says.is_hidden:
            return None
        proto = one.options.saying
        document, tool = _merged(proto.document, says.document), _merged(proto.tool, says.tool)
        effect = self._effect(one, tool, says)
        if effect is None:
            return None
        is_tool = tool is not None or one.options.is_without_side_effects or self._named(one)
        return self._method(
            one,
            effect,
            tool=_tool(one.options, tool or {}, effect) if is_tool else None,
            document=self._document(one, document, effect) if document is not None else None,
        )

    def _effect(self, one: _Found, tool: Mapping[str, Any] | None, says: Saying) -> Effect | None:
        """What a call may change; None if nobody said that the method may be called.

        The configuration's own word wins. Else the gravest of what is said counts, and a tool of
        which nothing is said writes.
        """
        if says.tool and "effect" in says.tool:
            return says.tool["effect"]  # type: ignore[no-any-return]  # an Effect, as _merged's are
        said = list(self._named(one))
        if tool and "effect" in tool:
            said.append(tool["effect"])
        elif one.options.is_without_side_effects or self._has_document(one):
            said.append("read")
        elif tool is not None and not said:
            said.append("write")
        return max(said, key=_GRAVITY.__getitem__, default=None)

    def _has_document(self, one: _Found) -> bool:
        says = self._sayings.get(one.full_name, Saying())
        return one.options.saying.document is not None or says.document is not None

    def _named(self, one: _Found) -> Sequence[Effect]:
        lists: Mapping[Effect, Sequence[str]] = {
            "read": self._exposure.read,
            "write": self._exposure.write,
            "destroy": self._exposure.destructive,
        }
        return [
            effect
            for effect, patterns in lists.items()
            if any(fnmatchcase(one.full_name, pattern) for pattern in patterns)
        ]

    def _method(
        self,
        one: _Found,
        effect: Effect,
        *,
        tool: ToolSpec | None = None,
        document: DocumentSpec | None = None,
        is_needed: bool = False,
    ) -> ExposedMethod | None:
        if tool is None and document is None and not is_needed:
            return None
        if not self._methods_left or self._characters_left <= 0:
            self._mistakes.append(f"{one.full_name} is left out: {_TOO_MANY}")
            return None
        said = (tool and tool.description) or self._comments.get(one.full_name)
        asked = input_schema(one.descriptor.input_type, self._comments)
        answer = output_schema(one.descriptor.output_type, self._comments)
        # A service describes itself: what it says must not be more than can be kept.
        self._methods_left -= 1
        self._characters_left -= sum(len(json.dumps(schema)) for schema in (asked, answer))
        return ExposedMethod(
            path=f"/{one.service}/{one.descriptor.name}",
            full_name=one.full_name,
            input_schema=asked,
            output_schema=_of_stream(answer) if one.is_streaming else answer,
            description=said or (document.description if document else ""),
            effect=effect,
            is_streaming=one.is_streaming,
            tool=tool,
            document=document,
        )

    def _rpc(self, method: ExposedMethod) -> Rpc:
        descriptor = self._found[method.full_name].descriptor
        request, answer = (
            message_factory.GetMessageClass(kind)
            for kind in (descriptor.input_type, descriptor.output_type)
        )
        return Rpc(method, Method(method.path, request, answer))

    def _document(
        self, one: _Found, said: Mapping[str, Any], effect: Effect
    ) -> DocumentSpec | None:
        """None, and a mistake, if it cannot be one."""
        try:
            if effect != "read":
                raise ValueError(f"a document only reads, and its effect is {effect}")
            fields = id_fields(one.descriptor, str(said.get("id", "")))
            kind = str(said["id"]).partition(":")[0]
            if kind in self._kinds:
                raise ValueError(f"another method has the documents {kind}:…")
        except ValueError as error:
            self._mistakes.append(f"{one.full_name} is no document: {error}")
            return None
        self._kinds.add(kind)
        values = self._values(one, str(said.get("values", "")), fields)
        fresh = {"fresh_seconds": said["fresh_seconds"]} if _is_time(said) else {}
        rest = {key: value for key, value in said.items() if key != "fresh_seconds"}
        return DocumentSpec(**{**rest, **fresh, "values": values})

    def _values(self, one: _Found, name: str, fields: Sequence[str]) -> str:
        """The name of the method that lists the values; nothing, and a mistake, if none can."""
        if not name:
            return ""
        listing = self._found.get(f"{one.service}.{name}")
        try:
            if listing is None:
                siblings = [each.descriptor.name for each in self._found.values()]
                raise ValueError(f"names no method{near(name, siblings)}")
            if listing.is_streaming:
                raise ValueError("streams its answer")
            if (effect := self._listing_effect(listing)) != "read":
                raise ValueError(f"may {effect}")
            check_listing(listing.descriptor, fields)
        except ValueError as error:
            self._mistakes.append(f"{one.full_name}: values: {name} {error}")
            return ""
        return name

    def _listing_effect(self, one: _Found) -> Effect:
        says = self._sayings.get(one.full_name, Saying())
        tool = _merged(one.options.saying.tool, says.tool)
        return self._effect(one, tool, says) or "read"

    def _listing(self, shown: Mapping[str, ExposedMethod]) -> Iterator[ExposedMethod]:
        """The methods that nobody shows, and a document needs."""
        for method in shown.values():
            if method.document is None or not method.document.values:
                continue
            name = f"{method.full_name.rpartition('.')[0]}.{method.document.values}"
            if name not in shown:
                needed = self._method(self._found[name], "read", is_needed=True)
                if needed is not None:
                    yield needed


def _merged(
    proto: Mapping[str, Any] | None, configured: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if proto is None and configured is None:
        return None
    return {**(proto or {}), **(configured or {})}


def _tool(options: Options, said: Mapping[str, Any], effect: Effect) -> ToolSpec:
    return ToolSpec(**{"takes_key": options.is_idempotent, **said, "effect": effect})


def _is_time(said: Mapping[str, Any]) -> bool:
    seconds = said.get("fresh_seconds")
    return isinstance(seconds, int | float) and 0 <= seconds < float("inf")


def _of_stream(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a method that sends many messages answers in the end."""
    message = {key: value for key, value in schema.items() if key != "$defs"}
    whole: dict[str, Any] = {
        "type": "object",
        "properties": {
            "messages": {"type": "array", "items": message},
            "count": {"type": "integer", "minimum": 0},
            "is_cut": {"type": "boolean", "description": "Whether there is more than that."},
            "why_cut": {"type": "string"},
        },
        "required": ["messages", "count", "is_cut"],
    }
    return {**whole, "$defs": schema["$defs"]} if "$defs" in schema else whole

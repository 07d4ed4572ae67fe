"""What a method's options say of it: `gateway.document` and `gateway.tool`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import MethodDescriptorProto, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.downstream.grpc.methods import Effect, Saying
from gateway.downstream.translation import plain
from gateway.protobuf import annotations_protocol
from gateway.text import displayable

MAX_WORDS = 50
MAX_LINE_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 20_000

_EFFECTS: Mapping[int, Effect] = {1: "read", 2: "write", 3: "destroy"}


@dataclass(frozen=True, slots=True)
class Options:
    saying: Saying
    is_without_side_effects: bool
    is_idempotent: bool


class OptionReader:
    """Reads the options of the methods of one service's files.

    They arrive as bytes that only a proto with their definition can read: always the gateway's
    own, and only if the service's files name it, as another may use the same number otherwise.
    """

    def __init__(self, pool: DescriptorPool) -> None:
        self._own = annotations_protocol().pool
        self._names = tuple(name for name in ("document", "tool") if self._is_ours(pool, name))

    def options(self, method: MethodDescriptorProto) -> Options:
        level = method.options.idempotency_level
        return Options(
            self._saying(method),
            is_without_side_effects=level == MethodOptions.NO_SIDE_EFFECTS,
            is_idempotent=level in (MethodOptions.IDEMPOTENT, MethodOptions.NO_SIDE_EFFECTS),
        )

    def _saying(self, method: MethodDescriptorProto) -> Saying:
        if not self._names or not method.HasField("options"):
            return Saying()
        kind = self._own.FindMessageTypeByName("google.protobuf.MethodOptions")
        options: Any = message_factory.GetMessageClass(kind).FromString(
            method.options.SerializeToString()
        )
        said: dict[str, Any] = {}
        for name in self._names:
            extension = self._own.FindExtensionByName(f"gateway.{name}")
            if options.HasExtension(extension):
                said[name] = options.Extensions[extension]
        return Saying(
            document=_document(said["document"]) if "document" in said else None,
            tool=_tool(said["tool"]) if "tool" in said else None,
        )

    def _is_ours(self, pool: DescriptorPool, name: str) -> bool:
        try:
            theirs = pool.FindExtensionByName(f"gateway.{name}")
        except KeyError:
            return False
        return bool(theirs.number == self._own.FindExtensionByName(f"gateway.{name}").number)


def _document(option: Any) -> Mapping[str, Any]:
    """The fields that are stated, of a `DocumentSpec`."""
    said: dict[str, Any] = {
        name: plain(displayable(getattr(option, name)), limit=MAX_LINE_CHARACTERS)
        for name in ("id", "title", "summary", "values", "description")
    }
    said["text"] = displayable(option.text)[:MAX_TEXT_CHARACTERS]
    said["words"] = tuple(plain(displayable(word), limit=60) for word in option.words[:MAX_WORDS])
    if option.HasField("fresh_seconds"):
        said["fresh_seconds"] = option.fresh_seconds
    return {name: value for name, value in said.items() if value or name == "fresh_seconds"}


def _tool(option: Any) -> Mapping[str, Any]:
    """The fields that are stated, of a `ToolSpec`."""
    said: dict[str, Any] = {
        name: plain(displayable(getattr(option, name)), limit=MAX_LINE_CHARACTERS * 2)
        for name in ("name", "title", "description")
    }
    said["effect"] = _EFFECTS.get(option.effect)
    said["takes_key"] = option.takes_key
    return {name: value for name, value in said.items() if value}

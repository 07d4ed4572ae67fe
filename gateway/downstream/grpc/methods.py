"""Methods of a gRPC service: what is shown of each, and what is said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Effect = Literal["read", "write", "destroy"]

FRESH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DocumentSpec:
    """What `gateway.document`, or the configuration, says of a method whose answer is a document.

    `id` is such as `item:{sku}`, whose fields are fields of the request. `title`, `summary` and
    `text` are templates over the fields of the answer, by their names in the proto, and of the
    ID; without `text` the whole answer is shown. `values` is a method of the same service that
    lists what there is: its answer has one repeated message field with fields of the ID's names.
    """

    id: str
    title: str = ""
    summary: str = ""
    words: tuple[str, ...] = ()
    fresh_seconds: float = FRESH_SECONDS
    text: str = ""
    values: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What `gateway.tool`, or the configuration, says of a method that is a tool.

    One that `takes_key` does its work once for each `idempotency` key, or twice is no harm.
    """

    name: str = ""
    title: str = ""
    description: str = ""
    effect: Effect = "read"
    takes_key: bool = False


@dataclass(frozen=True, slots=True)
class ExposedMethod:
    """A method that may be called.

    `path` is such as `/inventory.v1.Inventory/GetItem`, `full_name` the same as protobuf writes
    it, `inventory.v1.Inventory.GetItem`. The schemas are JSON Schema objects. One that has
    neither a tool nor a document lists the values of a document.
    """

    path: str
    full_name: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    description: str
    effect: Effect
    is_streaming: bool
    tool: ToolSpec | None
    document: DocumentSpec | None

    @property
    def name(self) -> str:
        """Without the service, such as `GetItem`."""
        return self.full_name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Saying:
    """What somebody says of one method: its proto by options, or the configuration.

    Fields of a `DocumentSpec` and of a `ToolSpec`, only those that are stated; None if it is said
    to be neither. An empty mapping makes it a tool of which nothing more is known.
    """

    document: Mapping[str, Any] | None = None
    tool: Mapping[str, Any] | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class MethodExposure:
    """Which methods are shown beyond those whose proto says so, and what is said of them.

    The patterns are over full names, such as `routeguide.RouteGuide.Get*`. A method in several
    lists has the gravest effect of them. `sayings` are by full name, and each field that they
    state wins over the proto's.
    """

    read: Sequence[str] = ()
    write: Sequence[str] = ()
    destructive: Sequence[str] = ()
    sayings: Mapping[str, Saying] = field(default_factory=dict)

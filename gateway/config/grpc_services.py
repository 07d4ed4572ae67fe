"""Settings of gRPC services of any kind, and of which of their methods are shown."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.config.services import TlsConfig
from gateway.config.strict import Count, Listed, Name, Seconds, Strict, Text
from gateway.downstream.channel import Tls, check_address
from gateway.downstream.grpc.descriptors import DescriptorSource
from gateway.downstream.grpc.grpc_service import (
    DEADLINE_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_CONCURRENT,
    MAX_MESSAGES,
    PROBE_SECONDS,
    QUEUE_SECONDS,
    STREAM_DEADLINE_SECONDS,
    WRITE_DEADLINE_SECONDS,
)
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import ConfigurationError

_METADATA_NAME = re.compile(r"(?!grpc-)[a-z0-9_.-]+(?<!-bin)")
_METADATA_VALUE = re.compile(r"[\x20-\x7e]+")


def _address(address: str) -> str:
    try:
        check_address(address)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    return address


def _metadata(given: Any) -> Any:
    """Checked as a whole, because what is said about one value would show it."""
    if not isinstance(given, dict):
        raise ValueError("should be names with a text each")
    for name, value in given.items():
        if not isinstance(name, str) or not _METADATA_NAME.fullmatch(name):
            raise ValueError("a name in it is not of small letters, or is one of gRPC's own")
        if not isinstance(value, str) or not _METADATA_VALUE.fullmatch(value):
            raise ValueError(f"{name} should be a text of visible ASCII characters")
        if "${" in value:
            raise ValueError(f"{name} should be a variable alone, which holds all of the text")
    return {name: str(value) for name, value in given.items()}


class DocumentConfig(Strict):
    """What `gateway.document` says; what is left out here, the proto says."""

    id: Text | None = None
    title: str | None = None
    summary: str | None = None
    words: Listed[Text] | None = None
    fresh_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    text: str | None = None
    values: str | None = None
    description: str | None = None


class MethodToolConfig(Strict):
    """What `gateway.tool` says; what is left out here, the proto says."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")] | None = None
    title: str | None = None
    description: str | None = None
    effect: Literal["read", "write", "destroy"] | None = None


class MethodConfig(Strict):
    document: DocumentConfig | None = None
    tool: MethodToolConfig | None = None
    hidden: bool = False

    @property
    def saying(self) -> Saying:
        return Saying(
            document=self.document.model_dump(exclude_none=True) if self.document else None,
            tool=self.tool.model_dump(exclude_none=True) if self.tool else None,
            is_hidden=self.hidden,
        )


class ExposeConfig(Strict):
    """Patterns of full names, such as `routeguide.RouteGuide.Get*`."""

    read: Listed[Text] = ()
    write: Listed[Text] = ()
    destructive: Listed[Text] = ()


class ProtosConfig(Strict):
    """`files` are paths below `root`."""

    root: Text
    files: Annotated[Listed[Annotated[str, Field(pattern=r"^[^-].*\.proto$")]], Field(min_length=1)]


class GrpcServiceConfig(Strict):
    """Any gRPC service; it is asked for its methods, unless a file or protos say them."""

    name: Name
    address: Annotated[Text, AfterValidator(_address)]
    is_public: bool = False
    tls: TlsConfig | None = None
    metadata: Annotated[dict[str, str], BeforeValidator(_metadata)] = Field(
        default_factory=dict, repr=False
    )
    descriptor_set: Text | None = None
    protos: ProtosConfig | None = None
    services: Listed[Text] = ()
    expose: ExposeConfig = ExposeConfig()
    methods: dict[Text, MethodConfig] = Field(default_factory=dict)
    deadline_seconds: Seconds = DEADLINE_SECONDS
    write_deadline_seconds: Seconds = WRITE_DEADLINE_SECONDS
    stream_deadline_seconds: Seconds = STREAM_DEADLINE_SECONDS
    max_concurrent: Annotated[int, Field(ge=1, le=1_000)] = MAX_CONCURRENT
    queue_seconds: Seconds = QUEUE_SECONDS
    probe_seconds: Seconds = PROBE_SECONDS
    max_messages: Count = MAX_MESSAGES
    max_bytes: Count = MAX_ANSWER_BYTES

    @model_validator(mode="after")
    def _described_once(self) -> Self:
        if self.descriptor_set is not None and self.protos is not None:
            raise ValueError("takes a descriptor_set or protos, not both")
        return self

    @property
    def source(self) -> DescriptorSource:
        return DescriptorSource(
            descriptor_set=Path(self.descriptor_set) if self.descriptor_set else None,
            proto_root=Path(self.protos.root) if self.protos else None,
            protos=self.protos.files if self.protos else (),
            services=self.services,
        )

    @property
    def exposure(self) -> MethodExposure:
        return MethodExposure(
            read=self.expose.read,
            write=self.expose.write,
            destructive=self.expose.destructive,
            sayings={name: method.saying for name, method in self.methods.items()},
        )

    @property
    def transport(self) -> Tls | None:
        return self.tls.tls if self.tls else None

"""Settings of the gRPC services that the gateway calls."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gateway.config.strict import Listed, Name, Seconds, Strict, Text
from gateway.downstream.provider import (
    DEADLINE_SECONDS,
    MAX_CONCURRENT,
    PROBE_SECONDS,
    QUEUE_SECONDS,
    WRITE_DEADLINE_SECONDS,
)
from gateway.downstream.service import Tls
from gateway.market.tool_names import PUBLIC_MARKET_TOOLS
from gateway.tools.downstream import Exposure


class TlsConfig(Strict):
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    @property
    def tls(self) -> Tls:
        return Tls(
            ca_file=_path(self.ca_file),
            certificate_file=_path(self.certificate_file),
            key_file=_path(self.key_file),
            server_name=self.server_name,
        )


class ToolsConfig(Strict):
    """Patterns of the tools that are shown; whatever is named nowhere stays hidden."""

    read: Listed[str] = PUBLIC_MARKET_TOOLS
    destructive: Listed[str] = ()


class ServiceConfig(Strict):
    """A gRPC service that speaks `provider.v1`."""

    name: Name
    address: Text
    tls: TlsConfig | None = None
    deadline_seconds: Seconds = DEADLINE_SECONDS
    write_deadline_seconds: Seconds = WRITE_DEADLINE_SECONDS
    max_concurrent: Annotated[int, Field(ge=1, le=1_000)] = MAX_CONCURRENT
    queue_seconds: Seconds = QUEUE_SECONDS
    probe_seconds: Seconds = PROBE_SECONDS
    tools: ToolsConfig = ToolsConfig()

    @property
    def exposure(self) -> Exposure:
        return Exposure(self.tools.read, self.tools.destructive)

    @property
    def transport(self) -> Tls | None:
        return self.tls.tls if self.tls else None


def _path(file: str | None) -> Path | None:
    return Path(file) if file else None

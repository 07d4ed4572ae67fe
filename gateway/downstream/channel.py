"""The one connection to a gRPC service: to which address, and how it is secured."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from gateway.errors import ConfigurationError

MAX_ANSWER_BYTES = 32 * 1024 * 1024

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A server closes the connection of a client that pings more often, or without calls.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # A proxy that is set for the web does not lead to a service next door.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Otherwise channels share their connections, and one waits for the other's backoff.
    ("grpc.use_local_subchannel_pool", 1),
]
# No other scheme: xds: and google-c2p: let somebody else say where calls go, and so may the
# name server that stands in dns://server/host.
_ADDRESS = re.compile(
    r"(?:dns:(?:///)?)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%a-z]+\]):[0-9]{1,5}"
    r"|ipv4:[0-9.:,]+"
    r"|ipv6:[][0-9A-Fa-f:.,%a-z]+"
    r"|unix:(?://(?=/))?[^\s@?#]+"
    r"|unix-abstract:[^\s@?#]+"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. Without `ca_file` the system's authorities count; a certificate and its
    key make it mutual; `server_name` is what the service's certificate says if not its host."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


def check_address(address: str) -> None:
    """Raises:
    ConfigurationError: it does not name one place to connect to. The address is not repeated,
        as a login may stand in it.
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            "the address of a gRPC service is like 'localhost:50051', 'dns:///host:50051' or "
            "'unix:/path', without a login and without http://"
        )


def open_channel(
    address: str, tls: Tls | None, *, max_answer_bytes: int = MAX_ANSWER_BYTES
) -> grpc.aio.Channel:
    """Raises:
    ConfigurationError: a file of `tls` cannot be read, is missing or is no PEM.
    """
    options = [*_OPTIONS, ("grpc.max_receive_message_length", max_answer_bytes)]
    if tls is None:
        return grpc.aio.insecure_channel(address, options)
    if (tls.certificate_file is None) != (tls.key_file is None):
        # The library would end the whole process over it.
        raise ConfigurationError(f"{address}: a certificate and its key only go together")
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_pem(tls.ca_file),
        private_key=_pem(tls.key_file),
        certificate_chain=_pem(tls.certificate_file),
    )
    name = [("grpc.ssl_target_name_override", tls.server_name)] if tls.server_name else []
    return grpc.aio.secure_channel(address, credentials, [*options, *name])


def _pem(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in content:
        raise ConfigurationError(f"{file}: is not PEM; it should have a line -----BEGIN ...-----")
    return content

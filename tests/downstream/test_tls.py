"""A provider behind TLS: who is trusted, and who has to say who they are."""

from pathlib import Path

import grpc
import pytest

from gateway.downstream.service import Tls
from gateway.downstream.status import State
from gateway.errors import ConfigurationError
from tests.downstream.conftest import Connect, States
from tests.stand_ins.certificates import Authority
from tests.stand_ins.provider import StandInProvider, echoes


def serving(authority: Authority, host: str, *, asks_who: bool = False) -> StandInProvider:
    identity = authority.issue(host)
    pair = (identity.key_file.read_bytes(), identity.certificate_file.read_bytes())
    credentials = grpc.ssl_server_credentials(
        [pair],
        root_certificates=authority.ca_file.read_bytes() if asks_who else None,
        require_client_auth=asks_who,
    )
    service = StandInProvider(credentials=credentials)
    service.offer("tool", echoes())
    return service


async def test_a_service_is_trusted_by_its_authority(tmp_path: Path, connect: Connect) -> None:
    authority = Authority(tmp_path)
    async with serving(authority, "127.0.0.1") as service:
        provider = await connect(service, tls=Tls(ca_file=authority.ca_file))
        assert await provider.invoke("tool", {}) == {}


async def test_a_service_may_have_another_name_than_its_address(
    tmp_path: Path, connect: Connect
) -> None:
    authority = Authority(tmp_path)
    async with serving(authority, "market.internal") as service:
        tls = Tls(ca_file=authority.ca_file, server_name="market.internal")
        provider = await connect(service, tls=tls)
        assert await provider.invoke("tool", {}) == {}


async def test_a_service_of_an_unknown_authority_is_never_sent_a_call(
    tmp_path: Path, connect: Connect, states: States
) -> None:
    async with serving(Authority(tmp_path), "127.0.0.1") as service:
        trusted = Authority(tmp_path, name="another")
        provider = await connect(service, tls=Tls(ca_file=trusted.ca_file))
        assert await states.next() == "down"
        assert provider.status.error == "the TLS handshake failed"
        assert service.listings == 0


async def test_a_service_with_the_certificate_of_another_host_is_never_sent_a_call(
    tmp_path: Path, connect: Connect, states: States
) -> None:
    authority = Authority(tmp_path)
    async with serving(authority, "other.internal") as service:
        provider = await connect(service, tls=Tls(ca_file=authority.ca_file))
        assert await states.next() == "down"
        error = "its certificate is for another host"
        assert provider.status.error == error
        assert service.listings == 0


async def test_a_service_that_asks_who_we_are_is_told(tmp_path: Path, connect: Connect) -> None:
    authority = Authority(tmp_path)
    gateway = authority.issue("gateway")
    async with serving(authority, "127.0.0.1", asks_who=True) as service:
        tls = Tls(
            ca_file=authority.ca_file,
            certificate_file=gateway.certificate_file,
            key_file=gateway.key_file,
        )
        provider = await connect(service, tls=tls)
        assert await provider.invoke("tool", {}) == {}


async def test_a_service_that_asks_who_we_are_turns_a_stranger_away(
    tmp_path: Path, connect: Connect, states: States
) -> None:
    authority = Authority(tmp_path)
    async with serving(authority, "127.0.0.1", asks_who=True) as service:
        provider = await connect(service, tls=Tls(ca_file=authority.ca_file))
        assert await states.next() == "down"
        assert provider.status.state is State.DOWN
        assert service.listings == 0


async def test_files_that_cannot_work_stop_the_start(tmp_path: Path, connect: Connect) -> None:
    gateway = Authority(tmp_path).issue("gateway")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for tls, says in [
        (Tls(ca_file=tmp_path / "missing.pem"), r"missing\.pem: cannot be read"),
        (Tls(ca_file=nonsense), r"nonsense\.pem: is not PEM"),
        (Tls(certificate_file=gateway.certificate_file), "only go together"),
        (Tls(key_file=gateway.key_file), "only go together"),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            await connect(StandInProvider(), tls=tls)

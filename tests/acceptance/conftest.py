"""One gateway for all acceptance tests, as its users start it: no settings, simulated exchange."""

from collections.abc import Iterator

import pytest

from tests.stand_ins.gateway_process import GatewayProcess, running_gateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[GatewayProcess]:
    with running_gateway() as process:
        yield process

"""The gateway as it is deployed: a process of its own, behind the real nginx."""

from collections.abc import Iterator

import pytest

from tests.stand_ins.gateway_process import free_port, running_gateway
from tests.stand_ins.nginx_process import NginxProcess, running_nginx


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxProcess]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    with (
        running_gateway("--public-url", f"https://127.0.0.1:{port}") as gateway,
        running_nginx(folder, upstream_url=gateway.base_url, https_port=port) as nginx,
    ):
        yield nginx

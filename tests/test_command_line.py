import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.stand_ins.gateway_process import running_gateway

SECONDS = 60


def gateway(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_search_prints_what_the_tool_answers() -> None:
    plain = gateway("search", "btc and eth order flow")
    assert plain.returncode == 0
    assert plain.stdout.startswith("order_flow:BTCUSDT\n  BTC/USDT order flow")
    assert "http://127.0.0.1:3001/data/order_flow:ETHUSDT" in plain.stdout
    results = json.loads(gateway("search", "bitcoin price", "--json").stdout)["results"]
    assert results[0]["id"] == "ticker:BTCUSDT"


def test_fetch_prints_what_the_tool_answers() -> None:
    plain = gateway("fetch", "klines:solusdt:4h")
    assert plain.returncode == 0
    assert "SOL/USDT 4h candles" in plain.stdout
    assert "Simulated data: these are not real prices." in plain.stdout
    document = json.loads(gateway("fetch", "ticker:BTCUSDT", "--json").stdout)
    assert document["id"] == "ticker:BTCUSDT"


def test_what_is_not_found_is_said_in_plain_words() -> None:
    unknown = gateway("fetch", "ticker:BTCUSDTT")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("gateway: 'ticker:BTCUSDTT' does not exist")
    assert "Did you mean: ticker:BTCUSDT" in unknown.stderr
    nothing = gateway("search", "price of zorgcoin")
    assert nothing.stdout == ""
    assert "zorgcoin" in nothing.stderr


def test_check_explains_settings_and_a_mistake_has_its_own_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("port: 4000")
    good = gateway("check", "--config", str(file))
    assert good.returncode == 0
    assert "listens on 127.0.0.1:4000" in good.stdout
    file.write_text("prot: 4000")
    for command in ("check", "serve", "market"):
        bad = gateway(command, "--config", str(file))
        assert bad.returncode == 78
        assert bad.stderr.startswith("gateway: gateway.yaml: prot: unknown key; it takes host")
        assert "Traceback" not in bad.stderr


def test_a_port_that_is_taken_is_said_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = gateway("serve", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "Address already in use; choose another with --port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_while_clients_listen(number: signal.Signals) -> None:
    with running_gateway() as process:
        with httpx.stream("GET", f"{process.base_url}/sse/", timeout=10) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: endpoint"
            process.signal(number)
            for _ in lines:
                pass
        assert process.wait(10) == 0
        assert "Traceback" not in process.log()


def test_the_market_provider_alone_serves_a_gateway(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "gateway.yaml"
    file.write_text(f"services: [{{name: binance, address: '127.0.0.1:{port}'}}]")
    with running_gateway("--config", str(file)) as process:
        ready = httpx.get(f"{process.base_url}/health/ready").json()
        assert ready["status"] == "degraded"
        assert ready["downstream"]["binance"]["state"] in ("starting", "down")
        absent = httpx.get(f"{process.base_url}/data/ticker:BTCUSDT")
        assert absent.status_code == 503
        assert int(absent.headers["retry-after"]) >= 1
        market = subprocess.Popen(
            [sys.executable, "-m", "gateway", "market", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait_until(
                lambda: httpx.get(f"{process.base_url}/data/ticker:BTCUSDT").status_code == 200
            )
        finally:
            market.terminate()
            assert market.wait(10) == 0
        assert httpx.get(f"{process.base_url}/health").json()["status"] in ("ready", "degraded")
        assert httpx.get(f"{process.base_url}/health/live").status_code == 200

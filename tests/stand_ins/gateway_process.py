"""The gateway itself, as its users start it: `gateway serve` in a process of its own."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60  # takes 3 s on a quiet machine


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """`http://127.0.0.1:40123`, the process behind it, and all that it has said so far."""

    base_url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code of a process that was told to end."""
        return self.process.wait(seconds)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {READY_SECONDS} s:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_gateway(
    *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[GatewayProcess]:
    """Ready to answer when yielded, with embedded defaults where nothing else is said.

    `arguments` follow `gateway serve`. Of this machine's settings only those in `env` are seen.
    """
    port = free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--host", "127.0.0.1"]
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        log_file = Path(folder, "log")
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--port", str(port), *arguments],
                env={**own_environment(), "MCP_DATABASE_DIR": folder, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        running = GatewayProcess(f"http://127.0.0.1:{port}", process, log_file)
        try:
            _wait_until_ready(process, running)
            yield running
        finally:
            stop(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def own_environment() -> Mapping[str, str]:
    """This machine's, without what configures a gateway, and without a terminal's width.

    Tests that run side by side have one, which is not that of a terminal they open.
    """
    variables = (ROOT / ".env.example").read_text("utf-8")
    foreign = {"COLUMNS", "LINES", *re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", variables, re.MULTILINE)}
    return {name: value for name, value in os.environ.items() if name not in foreign}


def _wait_until_ready(process: subprocess.Popen[bytes], running: GatewayProcess) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with httpx.Client(timeout=2, trust_env=False) as client:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"the gateway ended before it was ready:\n{running.log()}")
            if _is_ready(client, running.base_url):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready within {READY_SECONDS} s:\n{running.log()}")
            # Another process cannot set an event here: asking again is all there is.
            time.sleep(0.05)


def _is_ready(client: httpx.Client, base_url: str) -> bool:
    try:
        return client.get(f"{base_url}/health/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

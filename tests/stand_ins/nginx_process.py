"""The real nginx, with the configuration that is shipped, on free loopback ports."""

import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.stand_ins.certificates import Authority, Identity
from tests.stand_ins.gateway_process import free_port, stop
from tests.stand_ins.machine import need

SHIPPED = Path(__file__).parents[2] / "infra" / "nginx" / "gateway.conf"

# Around the shipped file: what a distribution's nginx.conf has, and gzip for everything, which an
# operator may well have switched on.
_AROUND = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/default.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    gzip_proxied any;
    include {folder}/gateway.conf;
}}
"""

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class NginxProcess:
    """`https://127.0.0.1:40443` with a certificate that `ca_file` vouches for."""

    base_url: str
    plain_url: str
    ca_file: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


@contextmanager
def running_nginx(
    folder: Path, *, upstream_url: str, https_port: int, changed: Mapping[str, str] = NOTHING
) -> Iterator[NginxProcess]:
    """Writes its files and logs into `folder`.

    `https_port` is the caller's, because the gateway's public URL holds it as well. `changed` are
    parts of the shipped file, and what stands there instead.
    """
    nginx, http_port = need("nginx"), free_port()
    folder.mkdir(exist_ok=True)
    authority = Authority(folder)
    adapted = adapt(
        folder,
        identity=authority.issue("127.0.0.1"),
        upstream_url=upstream_url,
        https_port=https_port,
        http_port=http_port,
        changed=changed,
    )
    # -e: before it has read any file, nginx would open a log that only root may write.
    log = ["-e", str(folder / "error.log")]
    process = subprocess.Popen([nginx, "-p", str(folder), *log, "-c", str(adapted)])
    try:
        _wait_until_listening(process, folder)
        yield NginxProcess(
            f"https://127.0.0.1:{https_port}",
            f"http://127.0.0.1:{http_port}",
            authority.ca_file,
        )
    finally:
        stop(process)


def adapt(
    folder: Path,
    *,
    identity: Identity,
    upstream_url: str,
    https_port: int,
    http_port: int,
    changed: Mapping[str, str] = NOTHING,
) -> Path:
    """Writes the shipped file with this machine's ports and paths; gives the nginx.conf around it.

    Only values change. One that the shipped file does not have any more is a KeyError.
    """
    values = {
        "/etc/letsencrypt/live/gateway.example.com/fullchain.pem": str(identity.certificate_file),
        "/etc/letsencrypt/live/gateway.example.com/privkey.pem": str(identity.key_file),
        "gateway.example.com": "127.0.0.1",
        "listen 80;": f"listen 127.0.0.1:{http_port};",
        "listen 443 ssl": f"listen 127.0.0.1:{https_port} ssl",
        "server 127.0.0.1:3001;": f"server {urlsplit(upstream_url).netloc};",
        "/var/log/nginx/": f"{folder}/",
        **changed,
    }
    (folder / "gateway.conf").write_text(_replaced(SHIPPED.read_text(), values))
    # Workers of a master that is root would otherwise not be allowed into a test's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    nginx_conf = folder / "nginx.conf"
    nginx_conf.write_text(_AROUND.format(folder=folder, user=user))
    return nginx_conf


def _replaced(text: str, values: Mapping[str, str]) -> str:
    for shipped in values:
        if shipped not in text:
            raise KeyError(shipped)
    # Longest first, in one pass, so that nothing is replaced inside of a replacement.
    longest_first = sorted(values, key=len, reverse=True)
    pattern = "|".join(re.escape(shipped) for shipped in longest_first)
    return re.sub(pattern, lambda found: values[found[0]], text)


def _wait_until_listening(process: subprocess.Popen[bytes], folder: Path) -> None:
    # The master writes its pid once its sockets are open.
    deadline = time.monotonic() + 10
    while not (folder / "nginx.pid").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()}")
        time.sleep(0.01)

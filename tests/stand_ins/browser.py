"""Headless Chromium, started once per page; it reaches nothing but what the page asks for."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from tests.stand_ins.machine import need

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


class Seen(NamedTuple):
    """The page's elements after it was shown, and what the browser had to say about it."""

    dom: str
    console: str


async def see(url: str, profile: Path) -> Seen:
    """Opens the page in a window of its own; `profile` is a folder that may be filled."""
    browser = await asyncio.create_subprocess_exec(
        need("chromium"), *QUIET, f"--user-data-dir={profile}", "--enable-logging=stderr",
        "--dump-dom", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            dom, log = await browser.communicate()
    finally:
        if browser.returncode is None:
            browser.kill()
            await browser.wait()
    lines = log.decode(errors="replace").splitlines()
    console = "\n".join(line for line in lines if ":CONSOLE" in line)
    return Seen(dom.decode(), console)

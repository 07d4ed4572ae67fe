import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app.router import opened_router
from gateway.config.settings import load


@pytest.fixture
def everything_is_open_to_everybody() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.usefixtures("everything_is_open_to_everybody")
async def test_nobody_else_may_look_into_or_replace_the_folders_that_it_makes(
    tmp_path: Path,
) -> None:
    config = load(environment={"MCP_DATABASE_DIR": str(tmp_path / "share" / "gateway")})
    async with opened_router(config):
        modes = modes_in(tmp_path)
    assert modes["share"] == modes["gateway"] == 0o700
    assert not any(mode & 0o077 for mode in modes.values())

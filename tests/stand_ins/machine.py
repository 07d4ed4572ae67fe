"""What a test needs of the machine that it runs on."""

import os
import shutil

import pytest


def need(program: str) -> str:
    """The path of an installed program.

    Elsewhere a test that misses one is skipped and says so; in CI, where `.ci/run` installs
    it, the test fails.
    """
    if path := shutil.which(program):
        return path
    missing = f"{program} is not installed on this machine"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)

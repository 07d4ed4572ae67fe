"""What strangers wrote is looked at within bounds, and keeps nobody else waiting."""

import asyncio
import time

import pytest

from gateway.benchmarks import sandbox as sandbox_module
from gateway.benchmarks.sandbox import Sandbox
from gateway.errors import Refused


async def test_what_a_pattern_finds_is_told() -> None:
    assert await Sandbox().finds("b$", "ab") is True
    assert await Sandbox().finds("^b", "ab") is False
    assert await Sandbox().finds("(", "ab") is None


@pytest.mark.parametrize(("limit", "most"), [("LOOK_SECONDS", 0.2), ("LOOK_CPU_SECONDS", 1)])
async def test_a_pattern_that_takes_for_ever_is_given_up(
    limit: str, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "LOOK_SECONDS", 60)
    monkeypatch.setattr(sandbox_module, limit, most)
    async with asyncio.timeout(30):
        assert await Sandbox().finds("(a+)+$", "a" * 40 + "b") is None


async def test_a_search_has_only_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    hungry, text = "^(?:(a)|(b))*$", "ab" * 100_000
    assert await Sandbox().finds(hungry, text) is True
    monkeypatch.setattr(sandbox_module, "LOOK_MEMORY_BYTES", 40 * 1024 * 1024)
    assert await Sandbox().finds(hungry, text) is None


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('Here: {"n": 1}', None),
        ('{"n": "1"}', "the schema's properties.n.type does not hold"),
        ("none", "it holds no JSON"),
    ],
)
async def test_json_is_held_against_a_schema_in_a_process_of_its_own(
    text: str, fault: str | None
) -> None:
    assert await Sandbox().fault(text, SCHEMA) == fault


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {
            "$ref": "#/$defs/d0",
            "$defs": {
                **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)},
                "d40": {"type": "string"},
            },
        },
    ],
)
async def test_a_schema_that_takes_for_ever_is_given_up_and_keeps_nobody_waiting(
    schema: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "LOOK_SECONDS", 1)
    before = time.process_time()
    async with asyncio.timeout(30):
        with pytest.raises(Refused, match="it takes too long"):
            await Sandbox().fault(f'"{"a" * 60}!"', schema)
    assert time.process_time() - before < 0.5


async def test_a_schema_that_cannot_be_used_is_told_by_its_error_alone() -> None:
    with pytest.raises(Refused, match=r"^not held against the schema: UnknownType$"):
        await Sandbox().fault('"Zanzibar"', {"type": "nonsense"})


async def test_without_landlock_it_cannot_learn_which_files_are_there() -> None:
    code = """
import os
def learned():
    found = []
    for look in (os.stat, os.lstat, os.readlink, os.listdir, open):
        try:
            found.append(look("/proc/self/exe"))
        except PermissionError:
            pass
    return found + [os.access("/", os.F_OK), os.path.exists("/")]
"""
    sandbox = Sandbox(may_use_landlock=False)
    found = await sandbox.run_tests([code], "assert learned() == [False, False]", seconds=20)
    assert found.tests == (None,)


async def test_tests_have_less_memory_than_the_code() -> None:
    code = "def big(): return len(bytearray(300 * 1024 * 1024))"
    tests = "assert big() == 314572800\nassert len(bytearray(300 * 1024 * 1024)) > 0\n"
    found = await Sandbox().run_tests([code], tests, seconds=20)
    assert found.tests == (None, "MemoryError")

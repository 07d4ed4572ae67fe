import pytest
from rich.cells import cell_len

from gateway.terminal.closing import cost
from gateway.terminal.printable import clipped, one_line, printable
from gateway.terminal.screen import duration


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdata\x1b\\text", "text"),
        ("\x1b(Btext\x1bc", "text"),
        ("\x9b2Jtext", "text"),
        ("cut \x1b[3", "cut [3"),
        ("\x1b]0;never ends", "]0;never ends"),
        ("a\rb\x08c\x00", "abc"),
        ("\u202eexe.txt", "exe.txt"),
        ("👩‍👩‍👧 é", "👩‍👩‍👧 é"),
    ],
)
def test_nothing_that_steers_a_terminal_is_printable(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_a_line_is_one_line_and_fits() -> None:
    assert one_line(' {"a":\n   1}\r\n') == '{"a": 1}'
    assert len(one_line("x" * 100_000)) == 1_000
    assert clipped("short", 5) == "short"
    assert clipped("longer", 5) == "long…"
    for width in range(2, 9):
        assert cell_len(clipped("漢字" * 9, width)) <= width


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (None, "cost unknown"),
        (0, "free"),
        (0.0012, "$0.0012"),
        (0.000001, "$0.000001"),
        (1.5, "$1.50"),
        (12, "$12.00"),
    ],
)
def test_money_is_said_to_the_micro_dollar(usd: float | None, said: str) -> None:
    assert cost(usd) == said


def test_a_time_has_a_unit_that_suits_it() -> None:
    assert (duration(0.4), duration(12.3), duration(2_345.6)) == ("0 ms", "12 ms", "2.3 s")

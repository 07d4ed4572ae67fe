"""Takes the unit tests of a case apart, so that each passes or fails by itself."""

import ast
import builtins
from collections.abc import Iterator, Sequence
from symtable import SymbolTable, symtable

# A kind, which is setup, test or function, and its source, or the name of the function.
Step = tuple[str, str]


def steps(tests: str) -> Sequence[Step]:
    """
    Raises:
        ValueError: it is not Python, or holds no test.
    """
    try:
        found = [step for node in ast.parse(tests).body for step in _steps_of(node)]
        names_tested(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"is not Python{f', see its line {line}' if line else ''}") from None
    if not count(found):
        raise ValueError("holds neither an assert nor a def test_…() at its top level")
    return found


def count(taken_apart: Sequence[Step]) -> int:
    return sum(kind != "setup" for kind, _ in taken_apart)


def names_tested(tests: str) -> Sequence[str]:
    """Those that the tests use and do not define, so that the code has to."""
    top = symtable(tests, "<tests>", "exec")
    own = {one.get_name() for one in top.get_symbols() if one.is_assigned() or one.is_imported()}
    return sorted(set(_globals_used(top)) - own - set(dir(builtins)) - {"raises"})


def _globals_used(table: SymbolTable) -> Iterator[str]:
    is_top = table.get_type() == "module"
    for one in table.get_symbols():
        if one.is_referenced() and (is_top or one.is_global()):
            yield one.get_name()
    for inner in table.get_children():
        yield from _globals_used(inner)


def _steps_of(node: ast.stmt) -> Sequence[Step]:
    source = ast.unparse(node)
    if isinstance(node, ast.Assert):
        return [("test", source)]
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
        return [("setup", source), ("function", node.name)]
    return [("setup", source)]

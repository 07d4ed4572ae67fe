"""Which text of an answer is the code that was asked for, found where a crash harms nobody."""

import ast
from collections.abc import Iterator, Sequence

_BEGINNINGS = ("def ", "async def ", "class ", "import ", "from ", "@")
_MOST_CUTS = 200


def chosen(sources: Sequence[str], names: Sequence[str]) -> str:
    """The last source that defines most of the names, or all of them, where that defines more.

    Raises:
        SyntaxError: none of them is Python.
    """
    parsed = [code for one in sources if (code := _python_in(one)) is not None]
    if not parsed and sources:
        raise SyntaxError("no Python")
    if not parsed:
        return ""
    # Of equals, the first is taken.
    candidates = (*reversed(parsed), "\n".join(parsed))
    return max(candidates, key=lambda code: _defined(code, names))


def _python_in(text: str) -> str | None:
    """The text, or what is left of it without the prose before and behind its code."""
    if _tree(text) is not None:
        return text
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith(_BEGINNINGS)), len(lines))
    for end in range(len(lines), max(start, len(lines) - _MOST_CUTS), -1):
        code = "\n".join(lines[start:end])
        if _tree(code) is not None:
            return code
    return None


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defined(code: str, names: Sequence[str]) -> int:
    tree = _tree(code)
    return len(set(names).intersection(_top_names(tree))) if tree else 0


def _top_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (one.id for one in targets if isinstance(one, ast.Name))

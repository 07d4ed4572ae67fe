"""The process that runs the tests, on code that lives in another one."""

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from gateway.benchmarks.sandboxed.peer import Peer

# A step is its kind, which is setup, test or function, with its source, or the function's name.
Step = tuple[str, str]
Tell = Callable[[dict[str, Any]], None]


def examine(
    peer: Peer, sources: list[str], steps: list[Step], *, names: list[str], tell: Tell
) -> None:
    """Tells how loading went, then for each test in order the exception that it ended with."""
    try:
        found = dict(peer.ask("load", sources, names))
    except BaseException as error:
        tell({"loaded": type(error).__name__})
        return
    tell({"loaded": None})
    # Nothing else: `all` and `__builtins__` of the tests are not the code's to define.
    given = {name: found[name] for name in names if name in found}
    for outcome in _outcomes(steps, {"__name__": "tests", **given, "raises": raises}):
        tell({"test": outcome})


def raises(kind: type[BaseException], call: Callable[..., Any], *args: Any) -> bool:
    """Whether the call ends with such an exception; for tests to use."""
    try:
        call(*args)
    except kind:
        return True
    return False


def serve_functions_of_tests(what: str, of: Any, args: list[Any]) -> list[Any]:
    """The code may call what a test passed to it, and nothing else of ours."""
    if what != "call" or not may_be_lent(of):
        raise PermissionError
    return [*(None for _ in args[0]), of(*args[0], **args[1])]


def may_be_lent(value: Any) -> bool:
    return isinstance(value, FunctionType)


def search(pattern: str, text: str) -> bool:
    import re  # Only here: the tests of code need not wait for it.

    return re.search(pattern, text) is not None


def _outcomes(steps: list[Step], names: dict[str, Any]) -> Iterator[str | None]:
    for kind, source in steps:
        try:
            if kind == "function":
                names[source]()
            else:
                exec(compile(source, "<tests>", "exec"), names)
        except BaseException as error:
            outcome: str | None = type(error).__name__
        else:
            outcome = None
        if kind != "setup":
            yield outcome

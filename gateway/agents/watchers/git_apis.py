"""Which interfaces the added lines of a diff define: routes of HTTP, and calls of gRPC."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

MOST = 50
_VERBS = "get|post|put|patch|delete"
_RULES: Mapping[str, Sequence[re.Pattern[str]]] = {
    "python": (
        re.compile(rf"""@[\w.]+\.(?P<verb>{_VERBS}|route|websocket)\(\s*["'](?P<path>[^"']*)"""),
        re.compile(r"""(?P<verb>Route)\(\s*["'](?P<path>/[^"']*)"""),
    ),
    "javascript": (
        re.compile(
            rf"""(?:app|api|router|server|fastify)\.(?P<verb>{_VERBS})"""
            r"""\(\s*["'`](?P<path>/[^"'`]*)"""
        ),
    ),
    "go": (
        re.compile(
            r"""\w\.(?P<verb>HandleFunc|Handle|GET|POST|PUT|PATCH|DELETE)"""
            r"""\(\s*"(?P<path>[^"]*/[^"]*)\""""
        ),
    ),
    "java": (
        re.compile(
            r"""@(?P<verb>Get|Post|Put|Patch|Delete|Request)Mapping"""
            r"""\(\s*(?:(?:value|path)\s*=\s*)?"(?P<path>[^"]*)\""""
        ),
    ),
    "protobuf": (re.compile(r"(?P<verb>rpc)\s+(?P<path>\w+)\s*\("),),
}
_SAME_RULES = {"typescript": "javascript", "kotlin": "java"}
_HTTP = frozenset(_VERBS.upper().split("|"))
# A line is only looked at up to here; nobody writes a route behind it.
_MOST_COLUMNS = 300


class Api(NamedTuple):
    """Such as `POST /payments` or `rpc Pay`, in this file."""

    file: str
    name: str


class Line(NamedTuple):
    """One that a diff adds, or else takes away."""

    file: str
    is_added: bool
    text: str


def new_apis(lines: Iterator[Line], languages: Mapping[str, str]) -> Sequence[Api]:
    """By these rules, of files whose language is known:

    - Python: `@name.get("…")` with any of the verbs, `@name.route("…")`, `Route("/…")`;
    - JavaScript and TypeScript: `app.get("/…")`, also of `api`, `router`, `server`, `fastify`;
    - Go: `x.HandleFunc("/…")`, `x.Handle("/…")`, `x.GET("/…")`;
    - Java and Kotlin: `@GetMapping("…")`, also `@RequestMapping("…")`;
    - protobuf: `rpc Name(`.

    A line must begin with it (in Python and Go it may stand within); a line that is a comment
    defines none. What was only moved, or changed beside its name, is not new.
    """
    added: dict[Api, None] = {}
    removed: set[str] = set()
    for line in lines:
        if (name := _defined(line.text, languages.get(line.file, ""))) is None:
            continue
        if line.is_added:
            added[Api(line.file, name)] = None
        else:
            removed.add(name)
    return list(islice((one for one in added if one.name not in removed), MOST))


def _defined(text: str, language: str) -> str | None:
    stripped = text[:_MOST_COLUMNS].strip()
    if stripped.startswith(("#", "//", "*", "/*")):
        return None
    find = re.Pattern.search if language in ("python", "go") else re.Pattern.match
    for rule in _RULES.get(_SAME_RULES.get(language, language), ()):
        if found := find(rule, stripped):
            return _name(found["verb"], found["path"])
    return None


def _name(verb: str, path: str) -> str:
    if verb == "rpc":
        return f"rpc {path}"
    return f"{verb.upper()} {path}" if verb.upper() in _HTTP else path

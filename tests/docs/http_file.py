"""Reads `.http` files, as editors do: requests behind `###`, `@name = value`, `{{name}}`.

A comment such as `# answers 404` says which status a request gets; without one it is 200.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = re.compile(r"@([\w-]+)\s*=\s*(.*)")
_USE = re.compile(r"\{\{\s*([\w-]+)\s*\}\}")
_STATUS = re.compile(r"(?:#|//)\s*answers (\d{3})")
_REQUEST_LINE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE)\s+(\S+)")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request of a file, under the name behind its `###`."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    status: int = 200


def requests_in(file: Path, *, given: Mapping[str, str]) -> Iterator[HttpRequest]:
    """All of them, in order; what is `given` wins over the file's own variables.

    Raises:
        ValueError: a request has no request line, or uses a variable that nobody set.
    """
    head, *parts = re.split(r"^###", file.read_text("utf-8"), flags=re.MULTILINE)
    found = (_VARIABLE.fullmatch(line.strip()) for line in head.splitlines())
    variables = {one[1]: one[2].strip() for one in found if one} | dict(given)
    for part in parts:
        yield _request(part, variables)


def _request(part: str, variables: Mapping[str, str]) -> HttpRequest:
    name, _, text = part.partition("\n")
    comments, lines = _without_comments(text)
    status = next((int(one[1]) for line in comments if (one := _STATUS.match(line))), 200)
    first, *rest = _filled("\n".join(lines), variables).strip().split("\n")
    asked = _REQUEST_LINE.match(first)
    if asked is None:
        raise ValueError(f"{name.strip()!r} begins with {first!r}, which is no request line")
    head, _, body = "\n".join(rest).partition("\n\n")
    pairs = (line.partition(":") for line in head.splitlines() if line.strip())
    headers = {key.strip(): value.strip() for key, _, value in pairs}
    return HttpRequest(name.strip(), asked[1], asked[2], headers, body.strip(), status)


def _without_comments(text: str) -> tuple[list[str], list[str]]:
    """Comments stand before the request line only: in a body, a `#` is a part of it."""
    lines = text.splitlines()
    first = next((at for at, line in enumerate(lines) if _REQUEST_LINE.match(line)), len(lines))
    return [line for line in lines[:first] if line.strip()], lines[first:]


def _filled(text: str, variables: Mapping[str, str]) -> str:
    def value(use: re.Match[str]) -> str:
        if use[1] not in variables:
            raise ValueError(f"the variable {use[1]!r} is not set")
        return variables[use[1]]

    return _USE.sub(value, text)

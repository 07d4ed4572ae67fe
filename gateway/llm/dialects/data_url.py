"""What a `data:` URL holds."""

import re
from typing import NamedTuple

from gateway.errors import InvalidRequest

_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+)?(?:;[\w.=+-]+)*?;base64,", re.ASCII)


class Inline(NamedTuple):
    """`base64` is text, as it stood in the URL."""

    media_type: str
    base64: str


def inline(url: str) -> Inline | None:
    """None for a URL that leads somewhere else.

    Raises:
        InvalidRequest: a `data:` URL that is not in base64.
    """
    if not url.startswith("data:"):
        return None
    found = _DATA_URL.match(url)
    if found is None:
        raise InvalidRequest("a data: URL must be like data:image/png;base64,…")
    return Inline(found["media_type"] or "application/octet-stream", url[found.end() :])

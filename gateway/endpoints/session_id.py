"""Which stored conversation a request continues: by a field of its body, or by a header."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import InvalidRequest
from gateway.text import shown

FIELD = "session_id"
HEADER = "x-session-id"
# As the IDs of /context, where a session can be read and forgotten.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._@+-]{1,128}")


def take_session_id(headers: Mapping[str, str], body: dict[str, Any]) -> str | None:
    """The body's own field wins over the header.

    Raises:
        InvalidRequest: it is no ID.
    """
    given = body.pop(FIELD, None)
    if given is None:
        given = headers.get(HEADER) or None
    if given is None:
        return None
    if not isinstance(given, str) or not _WELL_FORMED.fullmatch(given):
        raise InvalidRequest(
            f"{FIELD} is {shown(str(given))!r}; it takes a text of up to 128 letters, digits and "
            ". _ @ + -"
        )
    return given

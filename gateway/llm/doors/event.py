"""What every door writes: JSON, and server-sent events of it."""

import json
from collections.abc import Mapping
from typing import Any

_dumped = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def body(document: Mapping[str, Any]) -> bytes:
    """As JSON; half characters, which UTF-8 cannot hold, become a `?`."""
    return _dumped(document).encode("utf-8", "replace")


def event(document: Mapping[str, Any], *, name: str | None = None) -> bytes:
    """One server-sent event."""
    data = b"data: %s\n\n" % body(document)
    return data if name is None else b"event: %s\n%s" % (name.encode(), data)


def typed_event(document: Mapping[str, Any]) -> bytes:
    """One that is named by the `type` in it."""
    return event(document, name=document["type"])

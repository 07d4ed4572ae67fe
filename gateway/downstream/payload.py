"""JSON as it travels inside protobuf: what we send is standard JSON, what we accept is no more."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def encode(arguments: Mapping[str, Any]) -> bytes:
    """Raises:
    ValueError: a value has no JSON, such as NaN.
    """
    try:
        return json.dumps(dict(arguments), allow_nan=False).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def decode(raw: bytes) -> Any:
    """Raises:
    ValueError: `raw` is not JSON in UTF-8, or holds what could never be sent on: half a
        character, or a number beyond what a float holds.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _SURROGATE.search(raw):
        # Half a surrogate pair decodes here and breaks every later encoding.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

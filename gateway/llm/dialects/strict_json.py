"""Reads JSON as the standard says it: Python alone would let `NaN` through, which is none."""

import json
from typing import Any, NoReturn


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Made once: `json.loads` would make one for each piece of a stream.
_decode = json.JSONDecoder(parse_constant=_refuse).decode


def read_json(text: str) -> Any:
    """Raises:
    ValueError: it is no JSON.
    """
    return _decode(text)

"""What models write as arguments of a call, read; and what tools say, cut to fit."""

import json

from gateway.errors import InvalidRequest
from gateway.llm.dialects.strict_json import read_json
from gateway.llm.messages import ToolCall
from gateway.text import shown


def arguments_of(call: ToolCall) -> dict[str, object]:
    name = shown(call.name)
    try:
        arguments = read_json(call.arguments or "{}")
        # Python reads 1e999 as infinite and half a character as one: no tool could be sent them.
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"the arguments of {name} have half a character in a text; write it whole"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the arguments of {name} are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise InvalidRequest(f"the arguments of {name} must be a JSON object")
    return arguments


def meaning(arguments: str) -> str:
    """The same for arguments that say the same: 1.0 is 1, and no order of keys tells them apart.

    Those that are no JSON mean nothing but themselves.
    """
    try:
        return json.dumps(json.loads(arguments or "{}", parse_float=_number), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[Cut here: {len(text):,} characters in all; ask for less.]"


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number

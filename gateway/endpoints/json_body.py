"""Reads the JSON object that a request carries."""

import json
from typing import Any

from starlette.requests import Request

from gateway.errors import InvalidRequest


async def json_object(request: Request) -> dict[str, Any]:
    """The body as an object, whatever its content-type says: `curl -d` says it is a form.

    Raises:
        InvalidRequest: it is not JSON, or not an object.
    """
    body = await request.body()
    try:
        read = _decoder.decode(body.decode())
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: byte {error.start} is wrong") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {_place(error)}") from None
    except ValueError:
        # Python reads no number of more than 4,300 digits.
        raise InvalidRequest("the body holds a number with too many digits") from None
    if not isinstance(read, dict):
        raise InvalidRequest(f"the body is a JSON {type(read).__name__}; send an object: {{…}}")
    return read


def _place(error: json.JSONDecodeError) -> str:
    # Not the error's own text alone: it would say nothing of an empty body.
    if not error.doc.strip():
        return "it is empty"
    return f"{error.msg} at line {error.lineno}, column {error.colno}"


def _no_constant(name: str) -> Any:
    raise InvalidRequest(f"the body is not JSON: {name} is no JSON number")


_decoder = json.JSONDecoder(parse_constant=_no_constant)

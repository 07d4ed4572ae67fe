"""Queries and bodies read strictly: what is unknown or wrong is refused, and said."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request

from gateway.endpoints.validated import StrictBody
from gateway.errors import InvalidRequest
from gateway.text import shown

MOST_LISTED = 100
USUAL_LISTED = 20
MOST_ID = 200

Body = TypeVar("Body", bound=StrictBody)
Choice = TypeVar("Choice", bound=str)


class NoBody(StrictBody):
    """Of a request that says all in its path."""


def read_one(model: type[Body], body: bytes) -> Body:
    """Raises:
    InvalidRequest: it is no JSON, or not what the model takes; says where and what is.
    """
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise _refused(error, model) from None


def read_several(model: type[Body], body: bytes) -> Sequence[Body]:
    """A JSON array of them.

    Raises:
        InvalidRequest: as `read_one` does.
    """
    try:
        return TypeAdapter(tuple[model, ...]).validate_json(body)  # type: ignore[valid-type]  # known at run time only
    except ValidationError as error:
        raise _refused(error, model) from None


class Query:
    """What stands behind the question mark: nothing but what the door `takes`."""

    def __init__(self, query: QueryParams, *takes: str) -> None:
        """Raises:
        InvalidRequest: something is unknown, stands twice, or could not be stored anywhere.
        """
        for name, value in query.multi_items():
            if name not in takes:
                raise InvalidRequest(f"there is no {shown(name)!r} here; {_takes(takes)}")
            if len(query.getlist(name)) > 1:
                raise InvalidRequest(f"{name}: stands more than once; it takes one value")
            if not value.isprintable():
                raise InvalidRequest(f"{name} is {shown(value)!r}; it takes readable text")
        self._query = query

    def text(self, name: str) -> str | None:
        return self._query.get(name)

    def one_of(self, name: str, choices: Sequence[Choice]) -> Choice | None:
        text = self._query.get(name)
        if text is None:
            return None
        for choice in choices:
            if choice == text:
                return choice
        raise InvalidRequest(f"{name} is {shown(text)!r}; it takes {', '.join(choices)}")

    def moment(self, name: str) -> datetime | None:
        text = self._query.get(name)
        return None if text is None else moment_of(name, text)

    def limit(self) -> int:
        text = self._query.get("limit")
        if text is None:
            return USUAL_LISTED
        if not re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) or int(text) > MOST_LISTED:
            raise InvalidRequest(f"limit is {shown(text)!r}; it takes 1 to {MOST_LISTED}")
        return int(text)


def moment_of(name: str, text: str, *, is_end: bool = False) -> datetime:
    """A day as its begin, or as its end; a moment as it is, in UTC unless it says otherwise.

    Raises:
        InvalidRequest: it is neither, or no moment of UTC.
    """
    try:
        # A plus sign in a query means a space, unless it was quoted.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise InvalidRequest(
            f"{name} is {shown(text)!r}; it takes a day such as 2026-11-20, or a moment such as "
            "2026-11-20T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    is_day = len(text.strip()) <= len("2026-11-20") and moment.time() == time()
    try:
        return moment.astimezone(UTC) + timedelta(days=is_end and is_day)
    except OverflowError:
        raise InvalidRequest(f"{name} is {shown(text)!r}, which is too far away") from None


def path_id(request: Request, name: str = "id") -> str:
    """Raises:
    InvalidRequest: nothing can have such an ID.
    """
    given: str = request.path_params[name]
    if len(given) > MOST_ID or not given.isprintable():
        raise InvalidRequest(f"{name} is {shown(given)!r}; nothing here is named like that")
    return given


def _refused(error: ValidationError, model: type[StrictBody]) -> InvalidRequest:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    at = ".".join(map(str, first["loc"])) or "body"
    return InvalidRequest(f"{shown(at)}: {first['msg']}; {_takes(tuple(model.model_fields))}")


def _takes(names: Sequence[str]) -> str:
    return f"it takes {', '.join(names) or 'nothing'}"

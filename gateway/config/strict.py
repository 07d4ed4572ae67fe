"""Strict settings: unknown keys and wrong types are refused in words that show no secret."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway.errors import ConfigurationError

_SECRET = re.compile(
    r"key|secret|token(?!s)|password|header|proxy|database_url|webhook", re.IGNORECASE
)
_MOST_SHOWN = 30  # a secret is longer

Item = TypeVar("Item")
Settings = TypeVar("Settings", bound="Strict")

Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
# Of a name or an address: what stands before the port in a URL.
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:%-]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Text = Annotated[str, Field(min_length=1)]
# YAML knows lists only.
Listed = Annotated[tuple[Item, ...], Field(strict=False)]


class EnvironmentText(str):
    """A variable's value: text even where a number is meant, and never shown."""

    __slots__ = ("variable",)
    variable: str

    def __new__(cls, value: str, variable: str) -> "EnvironmentText":
        text = super().__new__(cls, value)
        text.variable = variable
        return text


class _EnvironmentInt(int):
    """A variable's number, never shown either: it may be a key in the wrong place."""

    variable = ""


class _EnvironmentFloat(float):
    variable = ""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _converted(cls, value: Any, field: ValidationInfo) -> Any:
        wanted = cls.model_fields[field.field_name or ""].annotation
        return _of_text(value, wanted) if isinstance(value, EnvironmentText) else value


def validated(model: type[Settings], values: Any, *, where: str) -> Settings:
    """Raises:
    ConfigurationError: names the place, what is wrong with it and what would be right.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(one, model, where) for one in error.errors())
        raise ConfigurationError(mistakes) from None


def place(parts: Sequence[str | int]) -> str:
    """Where a setting stands, such as `tiers.free.models[0].id`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]" if text else str(part)
        elif part != "[key]":
            text += f".{_short(part)}"
    return text.removeprefix(".")


def _of_text(text: EnvironmentText, wanted: Any) -> Any:
    """A variable's number or yes-or-no; what is neither is left for the type check to refuse."""
    kinds = set(_plain_types(wanted))
    if bool in kinds:
        return {"true": True, "false": False}.get(text.lower(), text)
    number: type[_EnvironmentInt | _EnvironmentFloat] | None = None
    if kinds & {int, float}:
        number = _EnvironmentInt if int in kinds else _EnvironmentFloat
    try:
        value = number(text) if number else text
    except ValueError:
        return text
    if isinstance(value, _EnvironmentInt | _EnvironmentFloat):
        value.variable = text.variable
    return value


def _plain_types(annotation: Any) -> Iterator[Any]:
    """`int` of `Annotated[int, …] | None`, but not of a list of integers."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        for one in get_args(annotation):
            yield from _plain_types(one)
    elif isinstance(annotation, type):
        yield annotation


def _mistake(error: Any, model: type[Strict], where: str) -> str:
    at = place(error["loc"])
    start = f"{where}: {at}" if at else where
    if error["type"] == "extra_forbidden":
        return f"{start}: unknown key; it takes {', '.join(_keys(model, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{start}: is missing"
    said = _SHAPES.get(error["type"]) or error["msg"].removeprefix("Input ").removeprefix(
        "Value error, "
    )
    return f"{start}: {said}{_given(at, error['input'])}"


_SHAPES = {
    "tuple_type": "should be a list, in lines that begin with -",
    "list_type": "should be a list, in lines that begin with -",
    "dict_type": "should be keys with values",
    "model_type": "should be keys with values",
}


def _short(part: str) -> str:
    return part if len(part) <= _MOST_SHOWN else "(a long key)"


def _given(at: str, value: object) -> str:
    """The value, unless it is or holds what may be a secret, in its place or in a wrong one."""
    if isinstance(value, EnvironmentText | _EnvironmentInt | _EnvironmentFloat):
        return f"; {value.variable} gives another"
    is_plain = value is None or isinstance(value, bool | int | float | str)
    if not is_plain or _SECRET.search(at) or _may_hold_a_secret(str(value)):
        return ""
    return f", not {value!r}"


def _may_hold_a_secret(text: str) -> bool:
    # In an address an @ stands behind a login, and a ? before a query.
    return len(text) > _MOST_SHOWN or "@" in text or "?" in text


def _keys(model: type[Strict], parts: Sequence[str | int]) -> Sequence[str]:
    """The keys that the settings at a place take."""
    for part in parts:
        fields: Mapping[str, Any] = {
            field.alias or name: field for name, field in model.model_fields.items()
        }
        if part in fields:
            model = _model_in(fields[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[Strict] | None:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)

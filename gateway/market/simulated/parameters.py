"""Reading a request's parameters as Binance does, with its refusals."""

import json
import math
import re
from collections.abc import Collection, Iterator
from urllib.parse import parse_qsl

from gateway.market.simulated.symbols import SYMBOLS, Symbol
from gateway.market.simulated.wire import Refusal, decimal_units

_SYMBOL_RANGE = r"^[\w\-._&&[^a-z]]{1,50}$"
_SYMBOL = re.compile(r"[\w\-.]{1,50}")
_LOWER_CASE = re.compile(r"[a-z]")
_INTEGER = re.compile(r"[0-9]{1,20}", re.ASCII)


class Parameters:
    """The parameters of one request; each is read once, and none may be left unread."""

    def __init__(self, query: str) -> None:
        self._values: dict[str, str] = {}
        self._read: set[str] = set()
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name in self._values:
                raise Refusal(-1101, f"Duplicate values for parameter '{name}' detected.")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        self._read.add(name)
        value = self._values.get(name)
        if value == "":
            raise Refusal(-1105, f"Parameter '{name}' was empty.")
        return value

    def required(self, name: str) -> str:
        value = self._values.get(name)
        if not value:
            raise missing(name)
        self._read.add(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise _illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, *, most: int) -> int:
        """More than the most is cut down to it, as Binance does."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(value, most)

    def decimal(self, name: str) -> int | None:
        """In 10^-8."""
        value = self.text(name)
        if value is None:
            return None
        units = decimal_units(value)
        if units is None:
            if re.fullmatch(r"[0-9.]{1,40}", value, re.ASCII) and value.count(".") <= 1:
                raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
            raise _illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        return units

    def choice(self, name: str, choices: Collection[str], *, code: int, message: str) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            raise Refusal(code, message)
        return value

    def symbol(self) -> Symbol:
        return listed(self.required("symbol"))

    def some_symbols(self) -> list[Symbol] | None:
        """What `symbol` or `symbols` name; nothing when neither is there."""
        one, many = self.text("symbol"), self.text("symbols")
        if one is not None and many is not None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if one is not None:
            return [listed(one)]
        if many is None:
            return None
        return [listed(name) for name in _names(many)]

    @property
    def symbols_named(self) -> float:
        """How many symbols are asked for; without any name it is all of them, beyond counting."""
        if self.has("symbol"):
            return 1
        return self._values["symbols"].count(",") + 1 if self.has("symbols") else math.inf

    def has(self, name: str) -> bool:
        return name in self._values

    def refuse_unread(self) -> None:
        unread = len(self._values.keys() - self._read)
        if unread:
            raise Refusal(
                -1104,
                "Not all sent parameters were read; read"
                f" '{len(self._values) - unread}' parameter(s) but was sent '{len(self._values)}'.",
            )


def missing(name: str) -> Refusal:
    return Refusal(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def listed(name: str) -> Symbol:
    """The symbol of that name.

    Raises:
        Refusal: -1100 for characters that no symbol has, -1121 for one that is not listed.
    """
    if not _SYMBOL.fullmatch(name) or _LOWER_CASE.search(name):
        raise _illegal("symbol", _SYMBOL_RANGE)
    symbol = SYMBOLS.get(name)
    if symbol is None:
        raise Refusal(-1121, "Invalid symbol.")
    return symbol


def _names(text: str) -> Iterator[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise _illegal(
            "symbols", r"^\[(\"[\w\-._&&[^a-z]]{1,50}\"(,\"[\w\-._&&[^a-z]]{1,50}\"){0,}){0,1}\]$"
        )
    if len(set(names)) < len(names):
        raise Refusal(-1151, "Symbol is present multiple times in the list.")
    return iter(names)


def _illegal(name: str, legal: str) -> Refusal:
    return Refusal(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )

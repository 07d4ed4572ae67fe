"""What a tool of this provider is: a name, who may call it, a schema, and what answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.market.arguments import Schema
from gateway.market.venue import Venue

Arguments = Mapping[str, Any]
Answer = Callable[[Venue, Arguments], Awaitable[Any]]


class Access(StrEnum):
    PUBLIC = "public"
    ACCOUNT = "account"
    TRADE = "trade"


@dataclass(frozen=True, slots=True)
class MarketTool:
    """`answer` takes checked arguments and gives JSON: an object, or an array as Binance does."""

    name: str
    access: Access
    description: str
    input_schema: Schema
    answer: Answer


SYMBOL: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 40,
    "description": "Trading pair as the exchange lists it, such as BTCUSDT",
}
TRADE_LIMIT: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": 1000,
    "default": 500,
    "description": "How many, newest last",
}
ORDER_ID: Schema = {"type": "integer", "minimum": 0, "description": "The exchange's order ID"}


def input_schema(*, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }

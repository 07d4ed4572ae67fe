"""How Binance wants a private request signed: HMAC-SHA256 over the percent-encoded query."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlencode

Parameters = Mapping[str, str | int | None]


def encoded(parameters: Parameters) -> str:
    """The query as it is sent: UTF-8, percent-encoded, in the order given, without Nones."""
    present = {name: value for name, value in parameters.items() if value is not None}
    return urlencode(present, quote_via=quote, safe="")


def signature(secret: str, query: str) -> str:
    """Of a query that is already encoded; signing before encoding is refused since 2026-01-15."""
    return hmac.new(secret.encode(), query.encode(), sha256).hexdigest()


def signed(parameters: Parameters, secret: str) -> str:
    query = encoded(parameters)
    return f"{query}&signature={signature(secret, query)}"

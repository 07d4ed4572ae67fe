"""Callers: who has which key, what each may use and spend, and who asks without any key."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, field_validator

from gateway.caller import ANONYMOUS, LOCAL, Caller
from gateway.config.formats import WindowText
from gateway.config.limits import limits_for, microusd
from gateway.config.strict import Count, Listed, Name, Strict, Text, Usd
from gateway.errors import ConfigurationError
from gateway.keys import hashed, is_hash
from gateway.usage.limit import Limit

LEAST_KEY_LENGTH = 16
_NAMED = re.compile(r"([a-z][a-z0-9_-]{0,39})=(.*)")


class CallerConfig(Strict):
    """One caller; its key is never written down, only the SHA-256 of it."""

    name: Name
    key_sha256: Annotated[str, Field(repr=False)]
    models: Listed[Text] = ("*",)
    tools: Listed[Text] = ("*",)
    gateway_tools: Listed[Text] = ()
    is_owner: bool = False
    budget_usd: Usd | None = None
    requests: Count | None = None
    tokens: Count | None = None
    window: WindowText = "month"

    @field_validator("key_sha256")
    @classmethod
    def _is_hash(cls, text: str) -> str:
        if not is_hash(text):
            raise ValueError("takes 64 hexadecimal digits; `gateway keys new NAME` prints them")
        return text

    @property
    def caller(self) -> Caller:
        return Caller(
            self.name,
            self.models,
            self.tools,
            is_owner=self.is_owner,
            gateway_tools=self.gateway_tools,
        )

    @property
    def limits(self) -> Iterator[Limit]:
        budget = None if self.budget_usd is None else microusd(self.budget_usd)
        return limits_for(
            self.name,
            {"microusd": budget, "requests": self.requests, "tokens": self.tokens},
            window=self.window,
            where={"caller": self.name},
        )


def callers_of_variable(text: str) -> list[dict[str, Any]]:
    """Owners, from `name=key,name2=key2` or keys without names.

    Raises:
        ConfigurationError: a key is too short, said without it.
    """
    callers = []
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        named = _NAMED.fullmatch(part)
        # The = at the end of a key in Base64 is not a key.
        is_named = named is not None and named[2].strip("=") != ""
        name, key = (named[1], named[2]) if named and is_named else (f"key-{number}", part)
        if len(key) < LEAST_KEY_LENGTH:
            raise ConfigurationError(
                f"GATEWAY_API_KEYS: key {number} is too short: it takes at least "
                f"{LEAST_KEY_LENGTH} characters; `gateway keys new NAME` makes one"
            )
        callers.append({"name": name, "key_sha256": hashed(key), "is_owner": True})
    return callers


def callers_by_hash(callers: Iterable[CallerConfig]) -> Mapping[str, Caller]:
    """Raises:
    ConfigurationError: two callers have the same name, or the same key; `local` and
        `anonymous` are those without a key.
    """
    by_hash: dict[str, Caller] = {}
    names = {LOCAL.name, ANONYMOUS.name}
    for one in callers:
        if one.name in names:
            raise ConfigurationError(
                f"callers: the name {one.name} is already somebody's; choose another"
            )
        if one.key_sha256 in by_hash:
            other = by_hash[one.key_sha256].name
            raise ConfigurationError(f"callers: {other} and {one.name} have the same key")
        names.add(one.name)
        by_hash[one.key_sha256] = one.caller
    return by_hash


def caller_without_key(*, has_keys: bool, is_public: bool, reads_everything: bool) -> Caller:
    """Where nobody has a key and only this machine gets in, whoever asks is the owner."""
    if not has_keys and not is_public:
        return LOCAL
    return replace(ANONYMOUS, is_owner=reads_everything)

"""What people call coins: their names, old tickers, and words that only look like a coin."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.documents.query import fold, fold_phrase
from gateway.shipped import shipped


@dataclass(frozen=True, slots=True)
class Renamed:
    """An old ticker's successor, and what to say about it."""

    asset: str
    note: str


@dataclass(frozen=True, slots=True)
class Coins:
    """The seed data of `coins.yaml`, folded for comparing with the words of a question.

    `names` leads from a phrase to an asset, `quotes` from a word to a quote asset.
    """

    assets: tuple[str, ...]
    names: Mapping[str, str]
    renamed: Mapping[str, Renamed]
    quotes: Mapping[str, str]
    ordinary_words: frozenset[str]
    seldom_words: frozenset[str]
    common_words: frozenset[str]
    everyday_words: frozenset[str]
    other_meanings: frozenset[str]
    cues: frozenset[str]
    weak_cues: frozenset[str]
    market_words: frozenset[str]
    name_words: frozenset[str]
    other_words: frozenset[str]
    units: frozenset[str]
    whole_market_words: frozenset[str]


@lru_cache(maxsize=1)
def coins() -> Coins:
    seed = shipped(__package__, "coins.yaml")
    renamed = {old: Renamed(row["asset"], row["note"]) for old, row in seed["renamed"].items()}
    old_names = {
        fold_phrase(name): renamed[old]
        for old, row in seed["renamed"].items()
        for name in (old, *row.get("names", ()))
    }
    unlisted = {ticker: [ticker, *names] for ticker, names in seed["often_unlisted"].items()}
    names = _by_phrase(seed["names"] | unlisted)
    return Coins(
        assets=tuple(seed["names"]),
        names=names,
        renamed=old_names,
        quotes=_by_phrase(seed["quotes"]),
        ordinary_words=frozenset(map(fold_phrase, seed["words"])),
        seldom_words=frozenset(map(fold_phrase, seed["seldom_words"])),
        common_words=frozenset(map(fold_phrase, seed["common"])),
        everyday_words=frozenset(map(fold_phrase, seed["everyday"].split())),
        other_meanings=frozenset(map(fold_phrase, seed["other_meanings"])),
        cues=frozenset(map(fold, seed["cues"].split())),
        weak_cues=frozenset(map(fold, seed["weak_cues"].split())),
        market_words=frozenset(map(fold, seed["market"].split())),
        name_words=frozenset(word for name in (*names, *old_names) for word in name.split()),
        other_words=frozenset(map(fold, seed["other_words"].split())),
        units=frozenset(map(fold, seed["units"].split())),
        whole_market_words=frozenset(map(fold, seed["whole_market"].split())),
    )


def _by_phrase(phrases: Mapping[str, list[str]]) -> Mapping[str, str]:
    return {fold_phrase(phrase): key for key, names in phrases.items() for phrase in names}

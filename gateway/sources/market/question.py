"""What stands around the words of a question: which names mean a coin, and its quote asset."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from gateway.documents.query import Word
from gateway.sources.market.coins import Coins
from gateway.sources.market.universe import Universe

# Behind a coin, these make a pair without a word between: "btc usdt", "sol eur".
MONEY = (
    "USDT", "USDC", "FDUSD", "EUR", "TRY", "BRL", "JPY", "GBP", "CAD", "AUD", "CHF", "INR", "KRW",
    "CNY", "RUB", "MXN", "ARS", "PLN", "SEK", "ZAR", "HKD", "SGD", "NZD", "UAH",
)  # fmt: skip
PAIR_ENDINGS = (*MONEY, "USD", "BTC", "ETH", "BNB")

_INTERVAL = re.compile(r"\d+[smhdwM]")
# Between a coin and what it is priced in, as in "eth in btc".
_PRICED_IN = frozenset("in to into per against versus with en zu gegen contra contre a".split())
HOW_MANY = frozenset("many much cuanto quanto combien viele viel".split())
# Between a word of the market and the coin that it speaks of, as in "price of near".
SPEAKING_OF = frozenset(
    "of for on in about with at von fur vom bei de du del di do da des sur para su pour".split()
)
ARTICLES = frozenset("the a an one der die das el la le il o".split())
# "hot coins" is no coin named HOT, "hot coin" may be one.
_MANY_COINS = frozenset("coins tokens cryptos altcoins".split())
_LISTING_SIGNS = frozenset(",/&+")
LISTING = frozenset("and or vs versus und y et e plus with oder o ou".split())


@dataclass(frozen=True, slots=True)
class Find:
    """An asset that the words from `start` up to `end` name, with its quote when that is named."""

    start: int
    end: int
    base: str
    quote: str = ""
    note: str = ""
    is_certain: bool = True
    # A word of the market stands anywhere in the question: enough where no other coin is named.
    is_likely: bool = False


class Question:
    """The words of one question, and what stands around each.

    `explained` are the words that say nothing of a coin: those of the market, and every-day ones.
    """

    def __init__(
        self,
        words: Sequence[Word],
        universe: Universe,
        *,
        coins: Coins,
        phrases: frozenset[str],
        explained: frozenset[str],
    ) -> None:
        self.words = words
        self.universe = universe
        self.coins = coins
        self.phrases = phrases
        self.explained = explained

    def is_meant(self, name: str, start: int, end: int) -> bool:
        """Whether a name that may be an ordinary word is surely meant as a coin here."""
        word = self.words[start]
        is_seldom = name in self.coins.seldom_words
        if word.has_dollar or not (is_seldom or name in self.coins.ordinary_words):
            return True
        if self._is_priced_at(end) or self._is_shouted(start, name):
            return True
        if len(name) == 1 or self._is_in_phrase(start):
            return False
        if word.raw.isupper() and self._has_small_letters:
            return True
        if name in self.coins.common_words:
            return self.text(end) in ("coin", "token")
        if len(self.words) == end - start:
            return is_seldom or name in self.coins.names
        if is_seldom:
            return len(self._strange_beside(start, end)) <= self._strange_words_allowed
        if self._is_spoken_of(start, end, self.coins.cues):
            return True
        return not self._strange_beside(start, end) and self._is_spoken_of(
            start, end, self.coins.weak_cues
        )

    def is_likely(self, name: str, start: int, end: int) -> bool:
        """Whether a name may be meant because the question speaks of nothing but a market."""
        if len(name) == 1 or name in self.coins.common_words or self._is_in_phrase(start):
            return False
        is_counted = end < len(self.words) and self.words[end].raw.lower() in _MANY_COINS
        return not is_counted and self.has_strong_cue and not self._strange_beside(start, end)

    def _strange_beside(self, start: int, end: int) -> frozenset[int]:
        return self.strange.difference(range(start, end))

    def _is_shouted(self, start: int, name: str) -> bool:
        """`ADA`, `BUY ADA`: capitals alone, and at most one word of the market with them."""
        if len(name) < 2 or len(self.words) > 2 or not self.words[start].raw.isupper():
            return False
        others = [word for place, word in enumerate(self.words) if place != start]
        return self.words[start].raw in self.universe.bases and all(
            word.raw.isupper() and self.is_market_word(word.text) and not self.is_common_word(name)
            for word in others
        )

    def is_market_word(self, text: str) -> bool:
        coins = self.coins
        words = (self.phrases, coins.cues, coins.weak_cues, coins.market_words)
        return any(text in some for some in words)

    def is_common_word(self, name: str) -> bool:
        return name in self.coins.common_words

    @property
    def _strange_words_allowed(self) -> int:
        """How many words may be strange to the market beside a name that is seldom a word."""
        if self.has_strong_cue:
            return 3
        return 1 if self.has_cue else 0

    @cached_property
    def strange(self) -> frozenset[int]:
        """The words that neither a market nor every-day talk explains."""
        return frozenset(place for place in range(len(self.words)) if self.is_strange(place))

    def is_explained(self, text: str) -> bool:
        return text in self.explained

    def is_strange(self, place: int) -> bool:
        word = self.words[place]
        return not (
            word.text in self.explained
            or word.text in self.coins.name_words
            or word.raw[0].isdigit()
            or word.raw.upper() in self.universe.bases
            or word.raw.upper() in self.universe.pairs
        )

    @cached_property
    def has_strong_cue(self) -> bool:
        """A word of markets only, an interval, or a phrase such as `selling pressure`."""
        texts = [word.text for word in self.words]
        pairs = [f"{one} {other}" for one, other in pairwise(texts)]
        return (
            not self.coins.cues.isdisjoint(texts)
            or any(_INTERVAL.fullmatch(word.raw) for word in self.words)
            or any(
                pair in self.phrases and not self.coins.weak_cues.isdisjoint(pair.split())
                for pair in pairs
            )
        )

    @cached_property
    def has_cue(self) -> bool:
        weak = self.coins.weak_cues
        return self.has_strong_cue or any(
            word.text in weak or word.text in self.phrases for word in self.words
        )

    @cached_property
    def _has_small_letters(self) -> bool:
        return any(not word.raw.isupper() and word.raw.isalpha() for word in self.words)

    def _is_spoken_of(self, start: int, end: int, cues: frozenset[str]) -> bool:
        """A word of the market stands behind it, or before it with "of" between."""
        before = start - 1
        while self.text(before) in ARTICLES:
            before -= 1
        if self.text(before) in SPEAKING_OF and self.text(before - 1) in cues:
            return True
        if end >= len(self.words) or self.words[end].gap.strip():
            return False
        behind = self.words[end]
        if behind.raw.lower() in _MANY_COINS:
            return False
        return behind.text in cues or _INTERVAL.fullmatch(behind.raw) is not None

    def _is_in_phrase(self, place: int) -> bool:
        """Whether it is a part of words of the market, as `flow` is of `order flow`."""
        text = self.text(place)
        around = (f"{self.text(place - 1)} {text}", f"{text} {self.text(place + 1)}")
        return any(pair in self.phrases or pair in self.coins.other_meanings for pair in around)

    def with_quote_behind(self, find: Find) -> Find:
        """`sol/usdc`, `btc usdt`: a quote that stands directly behind the coin."""
        quote, end = self._quote_at(find.end)
        is_glued = find.end < len(self.words) and self.words[find.end].is_glued
        is_glued = is_glued or "pair" in (self.text(end), self.text(find.start - 1))
        is_listed = self.universe.pair(find.base, quote) is not None
        if find.quote or not quote or not (quote in MONEY or (is_glued and is_listed)):
            return find
        return replace(find, quote=quote, end=end)

    def priced_in(self, finds: list[Find]) -> list[Find]:
        """`eth in btc`, `what does bitcoin cost in euros`: quotes that hold for all coins."""
        quotes: dict[str, None] = {}
        quoted_until = 0
        for place in range(len(self.words)):
            quote, end = self._quote_at(place)
            if place < quoted_until:
                continue
            others = [find for find in finds if not find.start <= place < find.end]
            if not quote or all(find.quote for find in others):
                continue
            bases = {one.base for one in others}
            is_unit = self.text(place) in self.coins.units and quote not in bases
            is_money = quote in MONEY and (len(others) == len(finds) or quote in quotes)
            is_listed = any(self.universe.pair(one.base, quote) for one in others if not one.quote)
            if is_unit or is_money or (is_listed and self._is_asked_for(place, end, others)):
                quotes[quote] = None
                finds, quoted_until = others, end
        return [
            replace(find, quote=quote)
            for find in finds
            for quote in ((find.quote,) if find.quote or not quotes else quotes)
        ]

    def _is_asked_for(self, place: int, end: int, others: Sequence[Find]) -> bool:
        """Whether the asset at a place is what the others are priced in: "eth in btc"."""
        before = place - 1
        while self.text(before) in ARTICLES:
            before -= 1
        if self.text(before) in HOW_MANY:
            return all(find.start >= end for find in others)
        return self.text(before) in _PRICED_IN and any(find.end <= place for find in others)

    def _is_priced_at(self, place: int) -> bool:
        """Whether money stands there, or any asset that is tied to the word before: `ada-eth`."""
        quote, _ = self._quote_at(place)
        return quote in MONEY or (bool(quote) and self.words[place].is_glued)

    def _quote_at(self, place: int) -> tuple[str, int]:
        """The quote asset that one or two words from a place name, and where they end."""
        if not 0 <= place < len(self.words):
            return "", place
        two = f"{self.text(place)} {self.text(place + 1)}"
        for phrase, end in ((two, place + 2), (self.text(place), place + 1)):
            if phrase in self.coins.quotes:
                return self.coins.quotes[phrase], end
        word = self.words[place]
        # Small letters are no cue here: `try` is a verb first.
        if word.raw.upper() in MONEY and (word.raw.isupper() or word.is_glued):
            return word.raw.upper(), place + 1
        return "", place

    def text(self, place: int) -> str:
        return self.words[place].text if 0 <= place < len(self.words) else ""

    def without_doubtful(self, finds: Sequence[Find]) -> list[Find]:
        """A doubtful coin counts when it is listed together with a certain one: "btc, sol"."""
        is_clear = self._names_a_clear_coin(finds)
        kept = [find if is_clear and not self._is_object(find) else _likely(find) for find in finds]
        while doubtful := [find for find in kept if not find.is_certain]:
            certain = [find for find in kept if find.is_certain]
            if not certain and self.has_cue and not self.strange:
                # "link vs dot, which has the tighter spread": two names vouch for each other.
                certain = doubtful
            proven = [
                find
                for find in doubtful
                if not self.is_common_word(self.text(find.start))
                and any(self.is_list(find, other) for other in certain if other is not find)
            ]
            if not proven:
                return [find for find in kept if find.is_certain]
            kept = [replace(find, is_certain=True) if find in proven else find for find in kept]
        return kept

    def _names_a_clear_coin(self, finds: Sequence[Find]) -> bool:
        """Whether one of them is no ordinary word: the others need a better reason then."""
        return any(
            find.is_certain and self.text(find.start) not in self.coins.ordinary_words
            for find in finds
        )

    def _is_object(self, find: Find) -> bool:
        """`... for near`, `... against atom`: a verb such as `link` does not stand there."""
        return self.text(find.start - 1) in SPEAKING_OF | _PRICED_IN

    def is_list(self, one: Find, other: Find) -> bool:
        return self._are_listed(other.end, one.start) or self._are_listed(one.end, other.start)

    def _are_listed(self, end: int, start: int) -> bool:
        """Whether only a comma or an "and" stands between two places."""
        if start == end and start < len(self.words):
            return not _LISTING_SIGNS.isdisjoint(self.words[start].gap)
        return start == end + 1 and self.words[end].text in LISTING


def _likely(find: Find) -> Find:
    return replace(find, is_certain=find.is_certain or find.is_likely)

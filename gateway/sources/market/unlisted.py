"""What a question names that is not listed, and what a person should be told of it."""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from rapidfuzz import fuzz, process

from gateway.documents.query import Word
from gateway.sources.market.coins import Coins
from gateway.sources.market.question import (
    ARTICLES,
    HOW_MANY,
    LISTING,
    MONEY,
    SPEAKING_OF,
    Find,
    Question,
)
from gateway.sources.market.universe import QUOTES, Universe

NAME_A_COIN = "Name a coin, such as 'bitcoin order flow'."
MAX_HINTS = 2
MAX_TICKER_LETTERS = 6
MIN_WORD_LETTERS = 5
MAX_WORDS_BETWEEN = 6
# Below it, "apple" is like "ripple".
ALIKE_PERCENT = 71

# Between an asset and what it is counted or priced in.
_TIES = frozenset("in to into per en zu gegen contra against a for fur por pour".split())
# These tie only amounts: "swap 5 btc for eth", but not "news for eth".
_LOOSE_TIES = frozenset("for fur por pour a".split())
_CONVERT = frozenset("convert swap exchange trade turn".split())
# "How much eth is one zorg", but not "how much electricity does btc use".
_MEASURED = _TIES | {"is", "are", "be", "equal"}
_COIN_ENDINGS = ("coin", "token", "swap")
_ONE_COIN = frozenset({"coin", "token"})
_ANY_COIN = frozenset("which what any every each best top biggest largest main major".split())
_VAGUE = frozenset("doing up down".split())


class Unlisted:
    """The names in a question that no listed coin has.

    `tied` are the listed assets that stand against one of them, as in "monero in bitcoin": their
    own price would answer another question.
    """

    def __init__(self, question: Question, finds: Sequence[Find]) -> None:
        bases = question.universe.bases
        self._question = question
        self._listed = [find for find in finds if find.base in bases]
        self._known = [find for find in finds if find.base not in bases]
        self._strangers = _strangers(question, finds)
        self._against = self._pairs()
        self.tied = frozenset(listed for _, listed in self._against)

    def _pairs(self) -> list[tuple[Find, Find]]:
        question, known = self._question, self._known
        asked = [(one, True) for one in known] + [(one, False) for one in self._strangers]
        return [
            (one, listed)
            for one, is_coin in asked
            for listed in self._listed
            if _are_tied(question, one, listed, is_coin=is_coin)
        ]

    def names(self) -> list[Find]:
        """What to call unknown, in the order of the question."""
        if not (self._known or self._strangers or not self._listed):
            return []
        tied = [unlisted for unlisted, _ in self._against]
        found = {*self._known, *tied, *filter(self._is_marked, self._strangers)}
        if self._listed:
            found.update(filter(self._is_beside_a_coin, self._strangers))
        elif not found:
            found.update(filter(self._stands_for_a_coin, self._strangers))
            found = found or set(self._before_coin())
        return sorted(found, key=lambda find: find.start)[:MAX_HINTS]

    def _is_marked(self, stranger: Find) -> bool:
        return any(
            _is_marked(self._question.words[place]) for place in range(stranger.start, stranger.end)
        )

    def _is_beside_a_coin(self, stranger: Find) -> bool:
        """`btc and zorgcoin price`, `btc in zorg`: listed with a coin, or what it is priced in."""
        question = self._question
        is_listed = any(question.is_list(one, stranger) for one in self._listed)
        is_market = question.has_cue or _is_short(question)
        return self._is_priced_in(stranger) or (is_listed and is_market)

    def _is_priced_in(self, stranger: Find) -> bool:
        return self._question.text(stranger.start - 1) in ("in", "to", "into") and any(
            find.end == stranger.start - 1 for find in self._listed
        )

    def _stands_for_a_coin(self, stranger: Find) -> bool:
        """`zorgcoin`, `zorg price`, `order book of zorg`: alone, or by a word of the market."""
        question = self._question
        if question.text(stranger.end - 1).endswith(_COIN_ENDINGS):
            return True
        is_alone = stranger.end - stranger.start == len(question.words)
        if is_alone or not question.has_cue:
            return is_alone and stranger.end - stranger.start == 1
        before = stranger.start - 1
        while question.text(before) in ARTICLES:
            before -= 1
        if question.text(before) in SPEAKING_OF:
            before -= 1
        around = (question.text(stranger.end), question.text(before))
        return any(question.is_market_word(text) for text in around) or (
            len(self._strangers) == 1 and _is_short(question)
        )

    def _before_coin(self) -> Iterable[Find]:
        """`key coin`: a name that is not listed, though its first word may be an ordinary one."""
        question = self._question
        for place, (name, behind) in enumerate(pairwise(question.words)):
            is_before_coin = behind.raw.lower() in _ONE_COIN and not behind.gap.strip()
            if is_before_coin and name.text not in ARTICLES and _is_doubtful(question, name.text):
                yield Find(place, place + 2, "")

    def hints(self) -> list[str]:
        question = self._question
        tied = {unlisted for unlisted, _ in self._against}
        hints = []
        for find in self.names():
            name = " ".join(word.raw for word in question.words[find.start : find.end])
            if self._is_priced_in(find) and find not in tied:
                hints.append(f"No prices in {name[:40]!r} are listed.")
            else:
                hints.append(_no_such_coin(name, question.coins, question.universe))
        return hints


def asks_for_all(question: Question) -> bool:
    """Whether it asks for the market as a whole: "crypto prices", "which coins are up today"."""
    places = [
        place
        for place, word in enumerate(question.words)
        if word.text in question.coins.whole_market_words
    ]
    return (
        bool(places)
        and not _unexplained(question)
        and all(_is_no_name(question, place) for place in places)
    )


def _is_no_name(question: Question, place: int) -> bool:
    before = question.text(place - 1)
    if place == 0 or before in _ANY_COIN:
        return True
    if question.words[place].raw.lower() in _ONE_COIN:
        return False
    return before == "hot" or before in ARTICLES or not _is_doubtful(question, before)


def _is_doubtful(question: Question, text: str) -> bool:
    """Whether an ordinary word is also the name of a coin."""
    return text in question.coins.ordinary_words or text.upper() in question.universe.bases


def speaks_of_market(question: Question) -> bool:
    """Whether a person asks for a market and only forgot the coin: "order flow", "4h candles"."""
    if len(question.words) == 1 or question.has_strong_cue:
        return True
    telling = (question.coins.weak_cues | question.coins.market_words) - _VAGUE
    return any(
        word.text in telling or (not question.strange and word.text in question.phrases)
        for word in question.words
        if word.text not in _VAGUE
    )


def _strangers(question: Question, finds: Sequence[Find]) -> list[Find]:
    """Unexplained words outside of the coins, those that follow each other as one name."""
    named = {place for find in finds for place in range(find.start, find.end)}
    places = [place for place in _unexplained(question) if place not in named]
    rows = groupby(
        enumerate(places), lambda row: (row[1] - row[0], _is_marked(question.words[row[1]]))
    )
    names = [[place for _, place in row] for _, row in rows]
    return [Find(name[0], name[-1] + 1, "") for name in names]


def _unexplained(question: Question) -> list[int]:
    """The words that could be the name of a coin that nobody here knows."""
    coins = question.coins
    return [
        place
        for place, word in enumerate(question.words)
        if not question.is_explained(word.text)
        and word.text not in coins.other_words
        and word.raw.upper() not in question.universe.bases
        and (place in question.strange or word.text in coins.name_words)
    ]


def _is_marked(word: Word) -> bool:
    """Whether it is written as only a coin or a pair is: `$NOSUCH`, `ABCUSDT`."""
    text = word.raw.upper()
    is_pair = any(text.endswith(ending) and text != ending for ending in MONEY[:3])
    return is_pair or (word.has_dollar and not word.raw[0].isdigit())


def _are_tied(question: Question, unlisted: Find, listed: Find, *, is_coin: bool) -> bool:
    """Whether one is counted or priced in the other: `xmr/btc`, "how much eth is 1 cake"."""
    first, second = sorted((unlisted, listed), key=lambda find: find.start)
    # Also keeps a text of nothing but names from being costly.
    if listed.quote or second.start - first.end > MAX_WORDS_BETWEEN:
        return False
    if first.end == second.start:
        return _are_joined(question, unlisted, listed, is_coin=is_coin)
    between = [question.text(place) for place in range(first.end, second.start)]
    counted = [text for text in between if not _is_amount(text)]
    is_plain = all(question.is_explained(text) and text not in LISTING for text in counted)
    if not is_plain:
        return False
    is_measured = not _MEASURED.isdisjoint(counted) or len(counted) < len(between)
    if question.text(first.start - 1) in HOW_MANY and (is_coin or is_measured):
        return True
    has_amount = any(_has_amount(question, one) for one in (first, unlisted))
    has_amount = has_amount or _is_changed(question, first)
    is_tie = counted[-1:] and counted[-1] in _TIES and counted[-1] in between[-3:]
    if not is_tie or (counted[-1] in _LOOSE_TIES and not has_amount):
        return False
    return is_coin or has_amount or _is_like_a_coin(question, unlisted, listed)


def _are_joined(question: Question, unlisted: Find, listed: Find, *, is_coin: bool) -> bool:
    """`zorg/eth`, `XMR BTC`: a sign ties any word, a space only coins."""
    behind = question.words[max(unlisted.start, listed.start)]
    name = question.words[unlisted.start].raw
    if behind.is_glued:
        # A hyphen makes other words too: "btc-based".
        return behind.gap != "-" or is_coin or name.isupper() or len(name) < MIN_WORD_LETTERS
    is_pair = unlisted.start < listed.start and listed.base in (*QUOTES, "USDT")
    is_ticker = is_coin or (name.isupper() and unlisted.start == 0)
    return is_pair and is_ticker and not behind.gap.strip() and not _is_counted(question, listed)


def _is_counted(question: Question, listed: Find) -> bool:
    return question.text(listed.end) in LISTING


def _is_like_a_coin(question: Question, stranger: Find, listed: Find) -> bool:
    """Whether a word that nobody knows is written, or spoken of, as a coin would be."""
    raw = question.words[stranger.start].raw
    if raw.isupper() and 1 < len(raw) <= MAX_TICKER_LETTERS:
        return True
    if question.text(stranger.start).endswith(_COIN_ENDINGS):
        return True
    if stranger.start > listed.start:
        is_changed_to = question.text(stranger.start - 1) in ("to", "into", "per")
        return is_changed_to and len(raw) < MAX_TICKER_LETTERS
    before = question.text(stranger.start - 1)
    is_priced = question.has_cue and before in (*SPEAKING_OF, "is", "what")
    # "Kas in eth" may be anything in a longer question, "kas to eth" hardly.
    is_told = len(question.words) == 3 or question.text(stranger.end) != "in"
    is_ticker = question.text(0) == raw.lower() and len(raw) < MAX_TICKER_LETTERS
    return is_priced or (stranger.start == 0 and is_told and is_ticker)


def _is_amount(text: str) -> bool:
    return text in ARTICLES or text[:1].isdigit()


def _has_amount(question: Question, find: Find) -> bool:
    before = question.text(find.start - 1)
    return before == "one" or before.replace(".", "").isdecimal()


def _is_changed(question: Question, find: Find) -> bool:
    """`convert 5 xmr`: a verb of exchange stands before it."""
    before = find.start - 1
    while _is_amount(question.text(before)):
        before -= 1
    return question.text(before) in _CONVERT


def _is_short(question: Question) -> bool:
    return len(question.words) <= 4


def _no_such_coin(name: str, coins: Coins, universe: Universe) -> str:
    folded = name.lower()
    names = [
        one
        for one, asset in coins.names.items()
        if asset in universe.bases and one[0] == folded[0] and one.count(" ") == name.count(" ")
    ]
    near = process.extract(folded, names, scorer=fuzz.ratio, limit=3, score_cutoff=ALIKE_PERCENT)
    assets = dict.fromkeys(coins.names[match[0]] for match in near)
    guess = f" Did you mean {' or '.join(assets)}?" if assets else ""
    return f"No listed coin is named {name[:40]!r}.{guess}"

"""Reads the pairs that a question names: by name, ticker, pair, old name, or with a typo."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rapidfuzz.distance import OSA

from gateway.documents.query import Mention, Reading, Word, fold
from gateway.sources.market.coins import Coins
from gateway.sources.market.intervals import INTERVAL_WORDS
from gateway.sources.market.question import PAIR_ENDINGS, Find, Question
from gateway.sources.market.spelling import Spelling
from gateway.sources.market.universe import MarketUniverse
from gateway.sources.market.unlisted import NAME_A_COIN, Unlisted, asks_for_all, speaks_of_market

SHOWN_WITHOUT_A_COIN = ("BTC", "ETH", "BNB", "SOL", "XRP")
MAX_NAME_WORDS = 3
MIN_TYPO_LETTERS = 5
MAX_TYPO_LETTERS = 24
MIN_PART_LETTERS = 3


class SymbolLexicon:
    """Knows the words that name a pair of the market.

    It never guesses a coin: a word that names none that is listed, by name, by ticker or by a
    typo of one or two letters in a name, names nothing, and a hint says so.
    """

    def __init__(self, universe: MarketUniverse, coins: Coins, phrases: Iterable[str]) -> None:
        self._universe = universe
        self._coins = coins
        self._phrases = frozenset(phrases)
        words = {word for phrase in self._phrases for word in phrase.split()}
        market_words = words | coins.cues | coins.weak_cues | coins.market_words
        money = {word for phrase in coins.quotes for word in phrase.split()}
        known = market_words | money | coins.everyday_words | INTERVAL_WORDS
        self._explained = frozenset(known)
        self._spelling = Spelling(
            market_words - coins.everyday_words,
            self._explained | coins.name_words | coins.other_words,
            phrases=self._phrases,
        )
        self._first_words = {name.split()[0] for name in (*coins.names, *coins.renamed)}
        names = sorted({*coins.names, *coins.renamed})
        self._typo_names = [
            name for name in names if " " not in name and len(name) >= MIN_TYPO_LETTERS
        ]
        self._typo_long_names = [name for name in names if name.count(" ") == 1]

    def read(self, words: Sequence[Word]) -> Reading:
        words = tuple(self._mended(word) for word in words)
        question = Question(
            words,
            self._universe.current,
            coins=self._coins,
            phrases=self._phrases,
            explained=self._explained,
        )
        finds = self._finds(question)
        unlisted = Unlisted(question, finds)
        finds = self._with_quotes(question, [one for one in finds if one not in unlisted.tied])
        mentions = [mention for find in finds if (mention := self._mention(find, question))]
        hints = unlisted.hints()
        if not mentions and not hints:
            mentions, hints = self._without_a_coin(question)
        return Reading(mentions, hints, words)

    def _mended(self, word: Word) -> Word:
        text = self._spelling.mend(word.text)
        is_ticker = word.raw.upper() in self._universe.current.bases
        return word if text == word.text or is_ticker else replace(word, text=text)

    def _finds(self, question: Question) -> list[Find]:
        """The coins that the words name, those that only look like one left out."""
        finds, start = [], 0
        while start < len(question.words):
            find = self._find_at(question, start)
            finds += [find] if find else []
            start = find.end if find else start + 1
        return question.without_doubtful(finds)

    def _find_at(self, question: Question, start: int) -> Find | None:
        word = question.words[start]
        if pair := question.universe.pairs.get(word.raw.upper()):
            return Find(start, start + 1, pair.base, pair.quote)
        return (
            self._long_typo_at(question, start)
            or self._name_at(question, start)
            or self._joined_pair(question, start)
            or self._typo_at(question, start)
        )

    def _name_at(self, question: Question, start: int) -> Find | None:
        """The longest name or ticker that begins here."""
        is_first = question.words[start].text in self._first_words
        longest = min(MAX_NAME_WORDS, len(question.words) - start) if is_first else 1
        for end in range(start + longest, start, -1):
            phrase = " ".join([word.text for word in question.words[start:end]])
            if find := self._named(question, phrase, start, end):
                return find
        return None

    def _named(self, question: Question, phrase: str, start: int, end: int) -> Find | None:
        renamed = self._coins.renamed.get(phrase)
        raw = question.words[start].raw.upper()
        tickers = (raw, phrase.upper()) if end == start + 1 and not renamed else ()
        base = next((ticker for ticker in tickers if ticker in question.universe.bases), None)
        base = renamed.asset if renamed else base or self._coins.names.get(phrase)
        if base is None:
            return None
        is_certain = question.is_meant(phrase, start, end)
        is_likely = not is_certain and question.is_likely(phrase, start, end)
        note = renamed.note if renamed else ""
        return Find(start, end, base, note=note, is_certain=is_certain, is_likely=is_likely)

    def _joined_pair(self, question: Question, start: int) -> Find | None:
        """A pair in one word that is not listed, of a coin that is: `MATICUSDT`, `PEPEEUR`."""
        text = question.words[start].raw.upper()
        if not text.endswith(PAIR_ENDINGS):
            return None
        for ending in PAIR_ENDINGS:
            base = text.removesuffix(ending)
            if base in ("", text):
                continue
            if renamed := self._coins.renamed.get(fold(base)):
                return Find(start, start + 1, renamed.asset, ending, renamed.note)
            if base in question.universe.bases:
                return Find(start, start + 1, base, ending)
        return None

    def _long_typo_at(self, question: Question, start: int) -> Find | None:
        """A misspelt name of two words, lest its first word be taken for another coin."""
        places = [place for place in (start, start + 1) if place in question.strange]
        if not places or any(len(question.text(place)) < MIN_PART_LETTERS for place in places):
            return None
        asked = [question.text(start), question.text(start + 1)]
        for name in self._typo_long_names:
            pairs = zip(asked, name.split(), strict=True)
            if all(one == other or _is_typo(one, other) for one, other in pairs):
                return self._named(question, name, start, start + 2)
        return None

    def _typo_at(self, question: Question, start: int) -> Find | None:
        text = question.words[start].text
        is_name = text.isalpha() and MIN_TYPO_LETTERS <= len(text) <= MAX_TYPO_LETTERS
        if not is_name or not question.is_strange(start) or text in self._coins.other_words:
            return None
        name = next((name for name in self._typo_names if _is_typo(text, name)), None)
        return self._named(question, name, start, start + 1) if name else None

    def _with_quotes(self, question: Question, finds: list[Find]) -> list[Find]:
        """Joins coins with what they are priced in: `sol/usdc`, `btc usdt`, `eth in btc`."""
        joined: list[Find] = []
        for find in finds:
            if not joined or find.start >= joined[-1].end:
                joined.append(question.with_quote_behind(find))
        return question.priced_in(joined)

    def _mention(self, find: Find, question: Question) -> Mention | None:
        universe = question.universe
        pair = universe.pair(find.base, find.quote) if find.quote else None
        notes = [find.note]
        if pair is None:
            pair = universe.usual_pair(find.base)
            if find.quote and pair and find.quote != "USD":
                notes.append(f"{find.base}{find.quote} is not listed")
        if pair is None:
            return None
        note = "; ".join(note for note in notes if note)
        return Mention("symbol", pair.symbol, find.start, find.end, note)

    def _without_a_coin(self, question: Question) -> tuple[list[Mention], list[str]]:
        """The largest coins for a question about all of them, else what is amiss."""
        if not asks_for_all(question):
            return [], [NAME_A_COIN] if speaks_of_market(question) else []
        pairs = [question.universe.usual_pair(base) for base in SHOWN_WITHOUT_A_COIN]
        # No word names them: they span none, and their places only keep the largest first.
        return [Mention("symbol", pair.symbol, i, i) for i, pair in enumerate(pairs) if pair], []


def _is_typo(text: str, name: str) -> bool:
    """One edit away (two from nine letters on), and the first letter right."""
    edits = 2 if min(len(text), len(name)) >= 9 else 1
    return text[:1] == name[0] and OSA.distance(text, name, score_cutoff=edits) <= edits

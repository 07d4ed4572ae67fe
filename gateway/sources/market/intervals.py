"""Reads the interval of candles in a question: `4h`, `15 minutes`, `daily chart`."""

import re
from collections.abc import Iterable, Sequence

from gateway.documents.query import Mention, Reading, Word, fold
from gateway.sources.market.kind import INTERVALS

_COMPACT = re.compile(r"(\d+)([a-zA-Z]+)")
_LETTER_FIRST = re.compile(r"([MHDWmhdw])(\d+)")


def _by_word(words: dict[str, str]) -> dict[str, str]:
    return {fold(word): letter for letter, row in words.items() for word in row.split()}


_UNITS = _by_word(
    {
        "m": "m min minute minutes minuten minuto minuti minutely minutig dakika dakikalik",
        "h": "h hr hour hours hourly stunde stunden stundig stundlich hora heure ora ore horaire "
        "saat saatlik orario",
        "d": "d day days daily tag tage tagig dia jour giorno giorni gun gunluk",
        "w": "w wk week weekly woche wochen semana semaine settimana settimane hafta haftalik",
        "M": "mo month monthly monat monate mes meses mois mese mesi ay aylik",
    }
)
_ADVERBS = _by_word(
    {
        "1m": "minutely minute-by-minute",
        "1h": "hourly stundlich horaire orario saatlik horario horaria "
        "stundenkerze stundenkerzen stundenchart",
        "1d": "daily taglich diario diaria diarias diarios quotidien quotidienne journalier "
        "giornaliero giornaliere gunluk tageskerze tageskerzen tageschart",
        "1w": "weekly wochentlich semanal semanales hebdomadaire settimanale settimanali haftalik "
        "wochenkerze wochenkerzen wochenchart",
        "1M": "monthly monatlich mensual mensuales mensal mensais mensuel mensuelle mensile "
        "mensili aylik monatskerze monatskerzen monatschart",
    }
)
# Times that no candle has.
_UNLISTED_UNITS = _by_word(
    {
        "s": "s sec second seconds sekunde sekunden segundo segundos seconde secondes saniye",
        "q": "quarter quarters quartal trimestre ceyrek",
        "y": "y yr year years jahr jahre ano anos an annee anno anni yil",
    }
)
_UNLISTED_ADVERBS = frozenset(
    fold(word)
    for word in (
        "quarterly yearly annual annually biweekly fortnightly semiannual secondly quartalsweise "
        "jahrlich anual anuales trimestral annuel annuelle trimestriel trimestrielle annuale "
        "annuali trimestrale yillik"
    ).split()
)
_NUMBERS = {
    word: number
    for number, words in {
        1: "one ein eine un una une uno bir",
        2: "two zwei dos deux due dois iki",
        3: "three drei tres trois tre uc",
        4: "four vier cuatro quatre quattro quatro dort",
        5: "five funf cinco cinq cinque bes",
        6: "six sechs seis sei alti",
        8: "eight acht ocho huit otto oito sekiz",
        12: "twelve zwolf doce douze dodici doze",
        15: "fifteen quince quinze quindici",
        30: "thirty treinta trente trenta trinta otuz",
    }.items()
    for word in words.split()
}
# Other spellings of the same time.
_SAME = {"60m": "1h", "120m": "2h", "180m": "3h", "240m": "4h", "24h": "1d", "7d": "1w"}
_CANDLES = frozenset("candle candlestick kline bar bougie chandelier kerze vela candela".split())
_CANDLE_WORDS = _CANDLES.union(
    fold(word)
    for word in (
        "ohlc ohlcv chart graph trend history historical close closing timeframe tf frame series "
        "interval period data plot verlauf kerzen grafico grafica graphique grafik diagramm "
        "candele mum mumlar storico historique historial tageskerzen tageschart "
        "wochenkerzen wochenchart stundenkerzen stundenchart monatskerzen monatschart"
    ).split()
)
_PHRASES = {
    ("half", "hour"): "30m", ("half", "hourly"): "30m", ("quarter", "hour"): "15m",
    ("quarter", "hourly"): "15m",
    ("half", "day"): "12h", ("day", "by"): "1d", ("hour", "by"): "1h", ("week", "by"): "1w",
    ("minute", "by"): "1m", ("month", "by"): "1M", ("day", "to"): "1d",
}  # fmt: skip
_EACH = frozenset("every each per by the a an pro jede cada por par".split())
_SINCE_WORDS = frozenset(
    "last past previous letzten letzte ultimas ultimos ultima ultimo dernieres derniere son".split()
)
_ANY_UNIT = frozenset({*_UNITS, *_UNLISTED_UNITS})
MAX_SHOWN_LETTERS = 20
# For whoever must know that a word speaks of time, and not of a coin.
INTERVAL_WORDS = frozenset(
    {*_UNITS, *_ADVERBS, *_NUMBERS, *(word for phrase in _PHRASES for word in phrase)}
)


class IntervalLexicon:
    """Knows the words that name an interval of candles."""

    def read(self, words: Sequence[Word]) -> Reading:
        speaks_of_candles = any(word.text in _CANDLE_WORDS for word in words)
        mentions = []
        for start in range(len(words)):
            found = _interval_at(words, start, speaks_of_candles=speaks_of_candles)
            if found and found[0] in INTERVALS and not _is_window(words, start, found[1]):
                mentions.append(Mention("interval", found[0], start, start + found[1]))
        hints = _hints(words, mentions) if speaks_of_candles else ()
        return Reading(_without_overlaps(mentions), hints)


def _hints(words: Sequence[Word], mentions: Sequence[Mention]) -> list[str]:
    """What to say of the first time in a question about candles that no candle has."""
    named = {place for one in mentions for place in range(one.start, one.end)}
    for start in range(len(words)):
        name = "" if start in named else _unlisted_at(words, start)
        end = start + name.count(" ") + 1
        # Beside an interval, another time may only say how far back: "1d chart of 90 days".
        is_meant = not named or (end < len(words) and words[end].text in _CANDLE_WORDS)
        if name and is_meant and not _is_window(words, start, end - start):
            return [f"There are no {name} candles; the intervals are {', '.join(INTERVALS)}."]
    return []


def _unlisted_at(words: Sequence[Word], start: int) -> str:
    """`90m`, `7 minutes`, `yearly`, `a candle per quarter`, as written."""
    raw = words[start].raw[:MAX_SHOWN_LETTERS]
    if match := _COMPACT.fullmatch(words[start].raw):
        return raw if fold(match[2]) in _ANY_UNIT else ""
    if words[start].text in _UNLISTED_ADVERBS:
        return raw
    text = words[start + 1].text if start + 1 < len(words) else ""
    if text in _ANY_UNIT and (words[start].text in _NUMBERS or words[start].raw.isdecimal()):
        return f"{raw} {words[start + 1].raw}"
    before = words[start - 1].text if start else ""
    is_lone = len(words[start].text) > 1 and words[start].text in _UNLISTED_UNITS
    return raw if is_lone and (before in _EACH or text in _CANDLES) else ""


def _interval_at(
    words: Sequence[Word], start: int, *, speaks_of_candles: bool
) -> tuple[str, int] | None:
    """An interval, and how many words name it."""
    found = _compact(words[start].raw, speaks_of_candles) or _spelled(words, start)
    if found:
        return found
    if adverb := _ADVERBS.get(words[start].text):
        return adverb, 1
    return _unit(words, start) if speaks_of_candles else None


def _compact(raw: str, speaks_of_candles: bool) -> tuple[str, int] | None:
    """`4h`, `H4`, `15min`, `1M`; `24h` is a window unless the question is about candles."""
    if match := _LETTER_FIRST.fullmatch(raw):
        return f"{match[2]}{match[1].lower()}", 1
    match = _COMPACT.fullmatch(raw)
    if not match:
        return None
    number, unit = match.groups()
    letter = "M" if unit == "M" else _UNITS.get(fold(unit))
    interval = f"{number}{letter}"
    return (_SAME.get(interval, interval) if speaks_of_candles else interval), 1


def _spelled(words: Sequence[Word], start: int) -> tuple[str, int] | None:
    """`4 hour`, `fifteen minutes`, `1-day`."""
    if start + 1 == len(words):
        return None
    if interval := _PHRASES.get((words[start].text, words[start + 1].text)):
        return interval, 2
    number = _NUMBERS.get(words[start].text, words[start].raw)
    letter = _UNITS.get(words[start + 1].text)
    if not letter or not str(number).isdecimal():
        return None
    interval = f"{number}{letter}"
    return _SAME.get(interval, interval), 2


def _unit(words: Sequence[Word], start: int) -> tuple[str, int] | None:
    """`hour chart`, `a candle per hour`."""
    text = words[start].text
    if len(text) == 1 or text not in _UNITS:
        return None
    before = words[start - 1].text if start else ""
    behind = words[start + 1].text if start + 1 < len(words) else ""
    is_counted = before[:1].isdigit() or (before in _NUMBERS and before not in _EACH)
    is_interval = not is_counted and (before in _EACH or behind in _CANDLE_WORDS)
    return (f"1{_UNITS[text]}", 1) if is_interval else None


def _is_window(words: Sequence[Word], start: int, length: int) -> bool:
    """Whether it says how far back: "the last 4 hours", but not "the last 4h candles"."""
    behind = words[start + length].text if start + length < len(words) else ""
    return start > 0 and words[start - 1].text in _SINCE_WORDS and behind not in _CANDLES


def _without_overlaps(mentions: Iterable[Mention]) -> list[Mention]:
    kept: list[Mention] = []
    for mention in mentions:
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
    return kept

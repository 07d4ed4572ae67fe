"""The words of a question that name a time, such as `last month`, for `usage:{window}`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from gateway.documents.query import Word, fold, split
from gateway.usage.span import DATE, DAYS, MAX_DAYS, MONTH, WEEK, YEAR, settled

_DAY = timedelta(days=1)
_ORDINAL = re.compile(r"([1-9]|[12]\d|3[01])(?:st|nd|rd|th|er)?")


@dataclass(frozen=True, slots=True)
class Named:
    """The words from `start` up to `end` name a window."""

    window: str
    start: int
    end: int


_Rule = Callable[[date], str]


def _days_ago(days: int) -> _Rule:
    return lambda today: (today - days * _DAY).isoformat()


def _week(weeks_ago: int) -> _Rule:
    def week(today: date) -> str:
        year, number, _ = (today - 7 * weeks_ago * _DAY).isocalendar()
        return f"{year}-W{number:02d}"

    return week


def _last_month(today: date) -> str:
    return (today.replace(day=1) - _DAY).isoformat()[:7]


def _this_month(today: date) -> str:
    return today.isoformat()[:7]


def _fixed(window: str) -> _Rule:
    return lambda _: window


def _table(rows: dict[str, _Rule]) -> dict[tuple[str, ...], _Rule]:
    return {
        tuple(word.text for word in split(phrase)): rule
        for phrases, rule in rows.items()
        for phrase in phrases.split(",")
    }


_PHRASES = _table(
    {
        "today, heute, hoy, aujourd'hui, oggi, hoje, bugun, this day, since midnight, "
        "so far today, todays, tonight, this morning": _fixed("today"),
        "yesterday, gestern, ayer, hier, ieri, ontem, dun, yesterdays": _fixed("yesterday"),
        "day before yesterday, the day before yesterday, vorgestern, anteayer, avant hier, "
        "l'altro ieri, anteontem": _days_ago(2),
        "last 24 hours, past 24 hours, 24h, 24 hours, letzten 24 stunden": _fixed("1d"),
        "past week, last seven days, past seven days, seven days, sieben tage, "
        "letzten sieben tage, weekly": _fixed("7d"),
        "past month, last thirty days, past thirty days, thirty days, dreissig tage": _fixed("30d"),
        "this week, week, diese woche, dieser woche, esta semana, cette semaine, questa settimana, "
        "bu hafta, current week, week so far, since monday": _week(0),
        "last week, previous week, letzte woche, letzter woche, vorige woche, semana pasada, "
        "la semana pasada, semaine derniere, la semaine derniere, settimana scorsa, "
        "semana passada, gecen hafta, weeks ago": _week(1),
        "this month, month, current month, month so far, diesen monat, diesem monat, este mes, "
        "ce mois, ce mois ci, questo mese, bu ay, monthly, monat, month to date": _this_month,
        "last month, previous month, letzten monat, letztem monat, vorigen monat, mes pasado, "
        "el mes pasado, mois dernier, le mois dernier, mese scorso, scorso mese, mes passado, "
        "gecen ay": _last_month,
        "this year, year, dieses jahr, este ano, cette annee, quest'anno, bu yil, "
        "year to date, current year": lambda today: str(today.year),
        "last year, previous year, letztes jahr, ano pasado, annee derniere, anno scorso, "
        "gecen yil": lambda today: str(today.year - 1),
    }
)
_MONTHS = {
    fold(name): number
    for number, names in enumerate(
        (
            "january jan januar enero janvier gennaio janeiro ocak",
            "february feb februar febrero fevrier febbraio fevereiro subat",
            "march marz marzo mars marco mart",
            "april apr abril avril aprile nisan",
            "may mai mayo maggio maio mayis",
            "june jun juni junio juin giugno junho haziran",
            "july jul juli julio juillet luglio julho temmuz",
            "august aug agosto aout agustos",
            "september sep sept septiembre septembre settembre setembro eylul",
            "october oct oktober okt octubre octobre ottobre outubro ekim",
            "november nov noviembre novembre novembro kasim",
            "december dec dezember dez diciembre decembre dicembre dezembro aralik",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    fold(name): number
    for number, names in enumerate(
        (
            "monday mon montag lunes lundi lunedi segunda pazartesi",
            "tuesday tue dienstag martes mardi martedi terca sali",
            "wednesday wed mittwoch miercoles mercredi mercoledi quarta carsamba",
            "thursday thu donnerstag jueves jeudi giovedi quinta persembe",
            "friday fri freitag viernes vendredi venerdi sexta cuma",
            "saturday sat samstag sabado samedi sabato cumartesi",
            "sunday sun sonntag domingo dimanche domenica pazar",
        )
    )
    for name in names.split()
}
# Month and day names that are ordinary words: only with a number, or a word like "in" before.
_ORDINARY = frozenset("may mar march sun sat mon wed mars jan marco segunda quarta quinta".split())
_BEFORE_A_TIME = frozenset("in on of during for since im am en au on a em last this per".split())
_DAY_UNITS = frozenset("day d tag tage tagen dia jour giorno giorni gun tagn".split())
_WEEK_UNITS = frozenset("week woche wochen semana semaine settimana settimane hafta".split())
_MONTH_UNITS = frozenset("month monat monate monaten mes mese mois mesi ay mese meses".split())
_PAST = frozenset("last past previous letzten letzte ultimo dernier ultimi son".split())
_UNITS = _DAY_UNITS | _WEEK_UNITS | _MONTH_UNITS | {"weekly", "monthly", "daily", "year"}
_NUMBERS = {"two": 2, "three": 3, "zwei": 2, "drei": 3, "dos": 2, "deux": 2, "due": 2}
_MAX_WORDS = max(map(len, _PHRASES))


def named_windows(words: Sequence[Word], now: datetime) -> tuple[Named, ...]:
    """The windows that a question names, in order, the longest wording of each."""
    today = now.astimezone(UTC).date()
    found: list[Named] = []
    for start in range(len(words)):
        if found and start < found[-1].end:
            continue
        named = _named_at(words, start, today)
        # "Yesterday by week" is about yesterday.
        if named and not (found and _is_unit(words, named)):
            found.append(named)
    return tuple({one.window: one for one in reversed(found)}.values())[::-1]


def _named_at(words: Sequence[Word], start: int, today: date) -> Named | None:
    for read in (_iso_at, _phrase_at, _calendar_at, _counted_at, _weekday_at):
        if found := read(words, start, today):
            return found
    return None


def _is_unit(words: Sequence[Word], named: Named) -> bool:
    """Whether it may only say how to count: `week`, `monthly`."""
    return named.end - named.start == 1 and words[named.start].text in _UNITS


def _iso_at(words: Sequence[Word], start: int, _: date) -> Named | None:
    """`2026-11-20`, `2026-11`, `2026-w47`: one word each part, tied by hyphens."""
    for length in (3, 2):
        parts = words[start : start + length]
        if len(parts) == length and all(part.gap == "-" for part in parts[1:]):
            text = settled("-".join(part.raw for part in parts))
            if any(one.fullmatch(text.lower()) for one in (DATE, MONTH, WEEK)):
                return Named(text, start, start + length)
    return None


def _phrase_at(words: Sequence[Word], start: int, today: date) -> Named | None:
    for length in range(min(_MAX_WORDS, len(words) - start), 0, -1):
        phrase = tuple(word.text for word in words[start : start + length])
        if rule := _PHRASES.get(phrase):
            return Named(rule(today), start, start + length)
    return None


def _calendar_at(words: Sequence[Word], start: int, today: date) -> Named | None:
    """`november`, `november 2026`, `november 3rd`, `3 november`, `in may`."""
    text, behind = _text(words, start), _text(words, start + 1)
    if (day := _ordinal(text)) and behind in _MONTHS:
        return Named(_date(_MONTHS[behind], day, today), start, start + 2)
    if text not in _MONTHS:
        return None
    month = _MONTHS[text]
    if YEAR.fullmatch(behind):
        return Named(f"{behind}-{month:02d}", start, start + 2)
    if day := _ordinal(behind):
        return Named(_date(month, day, today), start, start + 2)
    if text in _ORDINARY and _text(words, start - 1) not in _BEFORE_A_TIME:
        return None
    year = today.year - (month > today.month)
    return Named(f"{year}-{month:02d}", start, start + 1)


def _counted_at(words: Sequence[Word], start: int, _: date) -> Named | None:
    """`7 days`, `30d`, `14 tage`, `two weeks`, `3 months`."""
    if _text(words, start) in _PAST and start + 1 < len(words):
        counted = _counted_at(words, start + 1, _)
        return replace(counted, start=start) if counted else None
    raw, behind = words[start].raw.lower(), _text(words, start + 1)
    if DAYS.fullmatch(raw) and int(raw[:-1]) <= MAX_DAYS:
        return Named(raw, start, start + 1)
    count = int(raw) if raw.isdecimal() and len(raw) <= 3 else _NUMBERS.get(raw, 0)
    days = 1 if behind in _DAY_UNITS else 7 if behind in _WEEK_UNITS else 0
    days = 30 if behind in _MONTH_UNITS else days
    if 0 < count * days <= MAX_DAYS:
        return Named(f"{count * days}d", start, start + 2)
    return None


def _weekday_at(words: Sequence[Word], start: int, today: date) -> Named | None:
    text = _text(words, start)
    is_meant = text not in _ORDINARY or _text(words, start - 1) in _BEFORE_A_TIME
    if text not in _WEEKDAYS or not is_meant:
        return None
    days_ago = (today.weekday() - _WEEKDAYS[text]) % 7 or 7
    return Named((today - days_ago * _DAY).isoformat(), start, start + 1)


def _ordinal(text: str) -> int | None:
    found = _ORDINAL.fullmatch(text)
    return int(found[1]) if found else None


def _date(month: int, day: int, today: date) -> str:
    """The last such day, today included; a day that no month has is told when it is read."""
    year = today.year - ((month, day) > (today.month, today.day))
    return f"{year}-{month:02d}-{day:02d}"


def _text(words: Sequence[Word], place: int) -> str:
    return words[place].text if 0 <= place < len(words) else ""

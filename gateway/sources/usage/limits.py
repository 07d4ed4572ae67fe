"""Documents about what may still be used: `quota:{name}` and `budget:{name}`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rapidfuzz import process

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query, fold
from gateway.errors import NotFound
from gateway.sources.models.source import words_at
from gateway.sources.router_reader import RouterReader
from gateway.sources.usage.rendering import limit_summary, limit_text, limit_title
from gateway.text import shown
from gateway.usage.forecast import Forecast, forecast
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit, LimitState

_WORD = re.compile(r"[^\W_]+")
_WINDOW_WORDS = {
    "month": "month monthly monat monats monatlich monatliche monatliches monatlichen monatsbudget "
    "mes mensual mois mensuel mensuelle mese mensile mensal ay aylik",
    "week": "week weekly woche wochentlich wochentliche wochentliches wochenbudget semana semanal "
    "semaine hebdomadaire settimana settimanale hafta haftalik",
    "day": "day daily today tag tages taglich tagliche tagliches taglichen tagesbudget heute dia "
    "diario diaria hoy jour quotidien quotidienne aujourd'hui giorno giornaliero oggi gun gunluk "
    "bugun",
    "rolling": "rolling",
}
_UNIT_WORDS = {
    "requests": "requests calls anfragen solicitudes peticiones requetes richieste istek",
    "tokens": "tokens",
    "input_tokens": "input tokens",
    "microusd": "money dollars",
}


@dataclass(frozen=True, slots=True)
class LimitKind:
    """What is said of quotas, or of budgets."""

    name: str
    description: str
    example: str
    phrases: tuple[str, ...]
    fresh_seconds: float = 1.0
    told_by: str = "the ledger"

    @property
    def pattern(self) -> IdPattern:
        return IdPattern(f"{self.name}:{{name}}")


QUOTA = LimitKind(
    "quota",
    "How many requests or tokens a quota has left, when it resets, and how long it lasts.",
    "quota:nanogpt",
    ("how many free requests are left", "when will my free quota run out"),
)
BUDGET = LimitKind(
    "budget",
    "How much money a budget has left, when it resets, and how long it lasts.",
    "budget:monthly",
    ("budget left this month", "will the budget last until the end of the month"),
)


class LimitSource:
    """The limits of one kind: quotas count requests or tokens, budgets sum money."""

    is_private = True

    def __init__(
        self, kind: LimitKind, ledger: Ledger, reader: RouterReader, *, clock: Clock = now
    ) -> None:
        self._kind = kind.name
        self.pattern = kind.pattern
        self.description = kind.description
        self.fresh_seconds = kind.fresh_seconds
        self._ledger = ledger
        self._reader = reader
        self._clock = clock
        self._limits = {one.name: one for one in ledger.limits if one.kind == kind.name}

    @property
    def revision(self) -> object:
        return self._clock().date()

    def entries(self, query: Query) -> Sequence[Entry]:
        topics = query.values("topic")
        if self._kind not in topics:
            return ()
        cues = self._reader.read(query.words).cues
        # "Monthly" is said of those of that window only, by their own words.
        asked = cues.places(self._kind, "left", "request_word") - cues.places("period")
        return [
            Entry(
                self.pattern.format(name=limit.name),
                f"{self._kind.capitalize()} {limit.name}: {limit.shown(limit.most)} "
                f"in {limit.window.title}",
                self.description,
                phrases=(*words_at(query, asked), *_words(limit)),
                prior=0.9 - 0.01 * rank,
                is_live=True,
            )
            for rank, limit in enumerate(self._limits.values())
        ]

    async def read(self, document_id: DocumentId) -> Document:
        name = document_id.values["name"]
        if name not in self._limits:
            raise self._no_such_limit(document_id)
        of_limit = [one for one in await self._ledger.forecasts() if one.state.limit.name == name]
        # Whoever has the least left is who asks.
        forecasts = sorted(of_limit, key=lambda one: (one.state.remaining, one.state.key))
        limit = self._limits[name]
        forecasts = forecasts or [_unused(limit, self._clock())]
        first = forecasts[0]
        return Document(
            id=document_id,
            title=limit_title(first),
            summary=limit_summary(first),
            text=limit_text(forecasts),
            as_of=self._clock(),
            source="this gateway's ledger",
            metadata={"unit": limit.unit, "window": str(limit.window), **_ends(first)},
        )

    def _no_such_limit(self, document_id: DocumentId) -> NotFound:
        name = document_id.values["name"]
        near = process.extract(name, list(self._limits), limit=3)
        there = ", ".join(self._limits) or "none"
        return NotFound(
            f"{shown(document_id.text)!r} does not exist: no {self._kind} has this name; "
            f"there are: {there}",
            suggestions=[f"{self._kind}:{match[0]}" for match in near],
        )


def _unused(limit: Limit, moment: datetime) -> Forecast:
    """Of a limit that each caller has for itself, and nobody has used yet."""
    state = LimitState(limit, "", 0, 0, 0, limit.window.resets_at(moment))
    return forecast(state, (), now=moment)


def _ends(one: Forecast) -> dict[str, str]:
    return {"ends_at": rfc3339(one.ends_at)} if one.ends_at else {}


def _words(limit: Limit) -> tuple[str, ...]:
    """The words that tell this limit from the others."""
    said = " ".join([limit.name, *limit.where.values(), *limit.per]).lower().replace("_", " ")
    telling = [*_WORD.findall(said), *_UNIT_WORDS[limit.unit].split()]
    telling += _WINDOW_WORDS[limit.window.kind].split()
    return tuple(dict.fromkeys(fold(word) for word in telling))

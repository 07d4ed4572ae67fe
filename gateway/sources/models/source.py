"""Documents about models and providers: what they can do, what they cost, and where they are."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time

from gateway.clock import Clock, now
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.model import Model
from gateway.sources.models import rendering
from gateway.sources.models.names import bare_name
from gateway.sources.models.question import Choice
from gateway.sources.router_reader import RouterReader
from gateway.text import shown

SUGGESTED = 3
# By rank: the ranker orders by it what explains a question equally well.
_STEP = 0.01


class ModelSource:
    """`model:{id}`, such as `model:openrouter/qwen/qwen3-coder:free`."""

    pattern = IdPattern("model:{id}", {"id": str.strip})
    fresh_seconds = 60.0
    description = "What a model can do, its limits, its prices with source and date, and its tier."
    example = "model:anthropic/claude-opus-5-5"
    told_by = "the model catalog"
    phrases = (
        "cheapest model with vision", "free models that can call tools", "newest Claude",
        "largest context on OpenRouter", "gpt 6 sol price",
    )  # fmt: skip
    is_private = False

    def __init__(self, catalog: Catalog, reader: RouterReader, *, clock: Clock = now) -> None:
        self._catalog = catalog
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        return self._catalog.revision

    def entries(self, query: Query) -> Sequence[Entry]:
        if "models" not in query.values("topic"):
            return ()
        choices = self._reader.choices(self._reader.read(query.words))
        return [_entry(choice, rank, query) for rank, choice in enumerate(choices)]

    async def read(self, document_id: DocumentId) -> Document:
        models = self._models(document_id.values["id"])
        if not models:
            raise self._no_such_model(document_id)
        model = models[0]
        return Document(
            id=document_id,
            title=rendering.title(model),
            summary=rendering.summary(model),
            text=rendering.text(models, self._elsewhere(model)),
            as_of=self._as_of(model),
            source=f"model catalog: {model.source}" if model.source else "model catalog",
            metadata={"provider": model.provider, "tier": model.tier, "name": model.name},
        )

    def _models(self, model_id: str) -> list[Model]:
        """What a subscription covers and what is paid from the balance have one ID, free first."""
        known = {id(one): one for one in (*self._catalog.callable_models, *self._catalog.models)}
        same = [model for model in known.values() if model.id == model_id]
        return sorted(same, key=lambda model: model.tier)

    def _elsewhere(self, model: Model) -> list[Model]:
        name = bare_name(model.name)
        others = [
            one
            for one in self._catalog.models
            if one.id != model.id and bare_name(one.name) == name
        ]
        return sorted(others, key=lambda one: (one.tier, one.id))

    def _as_of(self, model: Model) -> datetime:
        return datetime.combine(model.as_of, time(), UTC) if model.as_of else self._clock()

    def _no_such_model(self, document_id: DocumentId) -> NotFound:
        near = self._catalog.near(document_id.values["id"])[:SUGGESTED]
        return NotFound(
            f"{shown(document_id.text)!r} does not exist: no known model has this ID; "
            "search by the model's name to find it",
            suggestions=[f"model:{one}" for one in near],
        )


def _entry(choice: Choice, rank: int, query: Query) -> Entry:
    return Entry(
        ModelSource.pattern.format(id=choice.model.id),
        rendering.title(choice.model),
        rendering.snippet(choice.model),
        phrases=words_at(query, choice.places),
        prior=1 - rank * _STEP,
    )


def words_at(query: Query, places: frozenset[int]) -> tuple[str, ...]:
    """The words of a question at some places, as phrases that an entry is asked for by."""
    return tuple(dict.fromkeys(query.words[place].text for place in sorted(places)))


class ProviderSource:
    """`provider:{name}`; `statuses` says of each configured one, in words, how it is now."""

    pattern = IdPattern("provider:{name}", {"name": str.lower})
    fresh_seconds = 2.0
    description = "Whether a model provider is configured and answers, and which models it offers."
    example = "provider:openrouter"
    told_by = "the model catalog and the provider"
    phrases = ("which providers are configured", "is openrouter up", "nanogpt status")
    is_private = True

    def __init__(
        self,
        catalog: Catalog,
        reader: RouterReader,
        statuses: Callable[[], Mapping[str, str]],
        *,
        clock: Clock = now,
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._statuses = statuses
        self._clock = clock

    @property
    def revision(self) -> object:
        return self._catalog.revision

    def entries(self, query: Query) -> Sequence[Entry]:
        if "providers" not in query.values("topic"):
            return ()
        question = self._reader.read(query.words)
        places = question.providers_places
        asked = question.providers or (
            self._catalog.providers if question.cues.has("provider") else ()
        )
        telling = places | question.cues.places("provider", "configured")
        return [
            Entry(
                self.pattern.format(name=name),
                f"Model provider {name}",
                self.description,
                phrases=words_at(query, telling),
                prior=0.5 - rank * _STEP,
                is_live=True,
            )
            for rank, name in enumerate(asked)
            if self._is_known(name)
        ]

    async def read(self, document_id: DocumentId) -> Document:
        name = document_id.values["name"]
        if not self._is_known(name):
            raise NotFound(
                f"{shown(document_id.text)!r} does not exist: no provider has this name",
                suggestions=[f"provider:{one}" for one in self._all()[:SUGGESTED]],
            )
        is_configured = name in self._catalog.providers
        status = self._statuses().get(name, "configured") if is_configured else "not configured"
        models = self._models(name)
        free = sum(model.tier == "free" for model in models)
        counted = f"{len(models):,} models, {free:,} of them free"
        newest = sorted(models, key=_age)[: rendering.MOST_LISTED]
        listed = rendering.models_table(newest)
        return Document(
            id=document_id,
            title=f"{name}: {status}, {counted}",
            summary=f"{name} is {status}; {counted}.",
            text=f"**{name} is {status}**, with {counted}.\n\n"
            f"## Its newest models, in US dollars per million tokens\n\n{listed}",
            as_of=self._clock(),
            source="this gateway",
            metadata={"provider": name, "is_configured": str(is_configured).lower()},
        )

    def _all(self) -> list[str]:
        known = {model.provider for model in self._catalog.models}
        return [*self._catalog.providers, *sorted(known - set(self._catalog.providers))]

    def _is_known(self, name: str) -> bool:
        return name in self._all()

    def _models(self, name: str) -> list[Model]:
        known = {(one.id, one.tier): one for one in self._catalog.models if one.provider == name}
        known |= {
            (one.id, one.tier): one for one in self._catalog.callable_models if one.provider == name
        }
        return list(known.values())


def _age(model: Model) -> tuple[int, str]:
    return (-model.released.toordinal() if model.released else 0, model.id)

"""Documents about what costs nothing now: `free_models:{task}`, or `free_models:all`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.llm.belief import NO_BELIEFS, Beliefs, told
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.model import Model
from gateway.llm.prior import Priors
from gateway.llm.task import TASKS, Task
from gateway.sources.models.rendering import abilities, cost, plain, table, tokens
from gateway.sources.models.source import words_at
from gateway.sources.router_question import ABILITIES, ORDERS, RouterQuestion
from gateway.sources.router_reader import NONE_CONFIGURED, RouterReader
from gateway.text import shown
from gateway.usage.call import Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Dimension, LimitState

ALL = "all"
TOPIC = "free_models"
MOST_LISTED = 30
WHAT_IS_FREE = (
    "A model is free where its list price is 0, a subscription includes it, or it runs on your "
    "own machines."
)
# Behind the first model of a list, and before the others: who asks for models wants those.
PRIOR = 0.995
# Of a limit, whatever else it looks at: only these are known of a model before it is called.
_OF_MODELS: tuple[Dimension, ...] = ("tier", "provider", "model")


class FreeModelSource:
    """`beliefs` order the models of a task; without any they go by what the catalog tells."""

    pattern = IdPattern(f"{TOPIC}:{{task}}", {"task": lambda text: text.lower().replace("-", "_")})
    fresh_seconds = 5.0
    description = (
        "The models that cost nothing now, what they can do, how good they are believed to be, "
        f"and what is left of their quotas: {ALL}, or for one of {', '.join(TASKS)}."
    )
    example = "free_models:coding"
    told_by = "the model catalog and the ledger"
    phrases = ("which free models are there", "free model good enough for coding")
    is_private = True

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        reader: RouterReader,
        *,
        beliefs: Callable[[], Beliefs] = lambda: NO_BELIEFS,
        clock: Clock = now,
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._reader = reader
        self._beliefs = beliefs
        self._clock = clock
        self._known: tuple[object, Priors] | None = None

    @property
    def revision(self) -> object:
        return self._catalog.revision

    def entries(self, query: Query) -> Sequence[Entry]:
        topics = query.values("topic")
        question = self._reader.read(query.words)
        is_asked = TOPIC in topics
        if not is_asked and not ({"models", "routing"} & set(topics) and _is_open(question)):
            return ()
        tasks = _tasks(question) or (ALL,)
        asked = question.cues.places("free", "model", "llm", "best")
        # It answers whatever the models answer that are asked for.
        asked = asked.union(*(choice.places for choice in self._reader.choices(question)[:1]))
        count = len(self._models())
        return [
            Entry(
                self.pattern.format(task=task),
                f"{count:,} free models{_for(task)}",
                self.description,
                phrases=words_at(query, asked | question.cues.places(task)),
                prior=(1.1 if is_asked else PRIOR) - 0.01 * rank,
            )
            for rank, task in enumerate(tasks)
        ]

    async def read(self, document_id: DocumentId) -> Document:
        task = document_id.values["task"]
        if task != ALL and task not in TASKS:
            raise NotFound(
                f"{shown(document_id.text)!r} does not exist: there are {ALL}, {', '.join(TASKS)}",
                suggestions=[f"{TOPIC}:{one}" for one in (ALL, *TASKS[:2])],
            )
        models = self._models()
        believed = [(*self._belief(model, task), model) for model in models]
        believed.sort(key=lambda one: (-one[0], one[2].id))
        states = await self._quotas(models)
        moment = self._clock()
        title = (
            f"{len(models):,} free models{_for(task)}" if models else "No model is free here now"
        )
        best = f"; first {plain(believed[0][2].id)}" if believed else ""
        return Document(
            id=document_id,
            title=f"{title}{best}",
            summary=f"{title}{best}; lists as of {self._catalog.as_of}.",
            text="\n\n".join(
                part
                for part in (
                    f"**{title}**, by lists as of {self._catalog.as_of}.",
                    "" if self._catalog.callable_models else NONE_CONFIGURED,
                    _models_text(believed, states),
                    _quotas_text(states),
                )
                if part
            ),
            as_of=moment,
            source="model catalog and this gateway's ledger",
            metadata={"task": task, "models": str(len(models))},
        )

    def _models(self) -> list[Model]:
        """Of those that can be called, if any provider is configured; that write text."""
        models = self._catalog.callable_models or self._catalog.models
        return [one for one in models if one.tier == "free" and "text" in one.output_modalities]

    def _belief(self, model: Model, task: str) -> tuple[float, str]:
        """What orders it, from 0 to 1, and what is believed of its answers, in a few words."""
        revision = self._catalog.revision
        if self._known is None or self._known[0] is not revision:
            self._known = (revision, Priors(self._catalog.callable_models))
        priors = self._known[1]
        asked: Task = TASKS[TASKS.index(task)] if task in TASKS else "general"
        belief = self._beliefs().of(model.id, asked, prior=priors.quality(model))
        order = belief.quality + priors.bonus(model).get(asked, 0.0)
        return order, told(belief, self._clock())

    async def _quotas(self, models: Sequence[Model]) -> list[LimitState]:
        """Those that bind some of these models, whoever calls them."""
        return [
            state
            for state in await self._ledger.states()
            if not state.limit.is_budget and any(_binds(state, model) for model in models)
        ]


def _is_open(question: RouterQuestion) -> bool:
    """Whether it asks for free models as such, and not for one of them by what it can do."""
    cues = question.cues
    # "Cost nothing" asks for no price.
    others = cues.places(*ABILITIES, *ORDERS, "context", "price", "paid") - cues.places("free")
    is_told = question.names or question.providers or question.amounts
    return cues.has("free") and not (others or is_told)


def _tasks(question: RouterQuestion) -> tuple[str, ...]:
    """Those it names or wants a model for; "for free" is no purpose."""
    is_named = question.cues.has(*question.tasks)
    ends_free = len(question.words) - 1 in question.cues.places("free")
    return question.tasks if is_named or not ends_free else ()


def _for(task: str) -> str:
    return "" if task == ALL else f" for {task.replace('_', ' ')}"


def _binds(state: LimitState, model: Model) -> bool:
    limit = state.limit
    where: Mapping[Dimension, str] = {
        name: limit.where[name] for name in _OF_MODELS if name in limit.where
    }
    call = Call("", "", model.provider, model.id, model.tier)
    return replace(limit, where=where).binds(call)


def _models_text(believed: Sequence[tuple[float, str, Model]], states: Sequence[LimitState]) -> str:
    rows = [
        (
            f"`{plain(model.id)}`",
            plain(why),
            tokens(model.context_tokens).removesuffix(" tokens"),
            abilities(model),
            cost(model),
            _left([state for state in states if _binds(state, model)]),
        )
        for _, why, model in believed[:MOST_LISTED]
    ]
    if not rows:
        return WHAT_IS_FREE
    head = ("Model", "Believed", "Context", "Abilities", "Why free", "Left")
    more = len(believed) - len(rows)
    rest = (
        f"\n\n{more:,} more are free; search for free models by what they can do." if more else ""
    )
    return f"## Models, the best believed first\n\n{table(head, rows)}{rest}"


def _left(states: Sequence[LimitState]) -> str:
    """Of the quota that ends first."""
    if not states:
        return "no quota is set"
    state = min(states, key=lambda one: (one.remaining, one.limit.name))
    return f"{state.limit.shown(state.remaining)} ({plain(state.limit.name)})"


def _quotas_text(states: Sequence[LimitState]) -> str:
    rows = [
        (
            plain(f"{state.limit.name} {state.key}".strip()),
            state.limit.shown(state.remaining),
            state.limit.shown(state.limit.most),
            rfc3339(state.resets_at),
        )
        for state in states[:MOST_LISTED]
    ]
    return f"## What is left\n\n{table(('Quota', 'Left', 'Of', 'Resets'), rows)}" if rows else ""

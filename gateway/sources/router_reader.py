"""Reads each question about the router once, for all sources that may answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cachetools import LRUCache

from gateway.clock import Clock, now
from gateway.documents.query import Lexicon, Mention, Reading, Word, fold
from gateway.llm.catalog.catalog import Catalog
from gateway.sources.market.unlisted import NAME_A_COIN
from gateway.sources.models.names import ModelNames, is_family
from gateway.sources.models.question import Choice, choose
from gateway.sources.router_question import RouterQuestion

NONE_CONFIGURED = (
    "No model provider is configured; these are known models, which could be called with a key "
    "such as NANOGPT_API_KEY or OPENROUTER_API_KEY."
)
NONE_FITS = "No known model fits all that is asked; ask for less, or for other abilities."
NO_SPEEDS = "How fast models are is not known before they were called; the newest come first."
NO_BUDGET = "No budget is set; set GATEWAY_MONTHLY_BUDGET_USD, or limits in gateway.yaml."
NO_QUOTA = "No quota is set; set limits in gateway.yaml, or quota in models.yaml."
FOR_OWNERS = "Spending, limits, choices, providers and tasks are told to the owner's keys only."
TASKS_ELSEWHERE = "Tasks live in {server}, as tools.yaml says; its tools list them."
ASK_OF_MODELS = "Ask about models, such as 'cheapest model with vision' or 'newest claude'"
ASK_OF_THE_REST = (
    "about spending, limits and choices, such as 'spent this month', 'budget left', "
    "'model for coding' or 'why was it chosen'"
)
OR_A_COIN = "or name a coin, such as 'bitcoin order flow'."
_OF_OWNERS = frozenset(
    {
        "usage",
        "quota",
        "budget",
        "routing",
        "route",
        "providers",
        "free_models",
        "benchmark",
        "tasks",
    }
)
_REMEMBERED = 256
# Those that people name, though they may not be configured. Other makers are families of models.
KNOWN_PROVIDERS = (
    "openrouter", "nanogpt", "openai", "anthropic", "azure", "vertex", "ollama", "lmstudio",
    "google",
)  # fmt: skip


class RouterReader:
    """What questions ask of the router, by the models that the catalog knows now."""

    def __init__(self, catalog: Catalog, *, clock: Clock = now) -> None:
        self._catalog = catalog
        self._clock = clock
        self._names: tuple[object, ModelNames] | None = None
        self._read: LRUCache[tuple[object, ...], RouterQuestion] = LRUCache(_REMEMBERED)
        self._chosen: LRUCache[RouterQuestion, Sequence[Choice]] = LRUCache(_REMEMBERED)

    def read(self, words: Sequence[Word]) -> RouterQuestion:
        names = self._current_names()
        # "Yesterday" is another day tomorrow.
        key = (tuple(words), names, self._clock().date())
        if key not in self._read:
            self._read[key] = RouterQuestion(
                words, names, providers=self._provider_names(), clock=self._clock
            )
        return self._read[key]

    def choices(self, question: RouterQuestion) -> Sequence[Choice]:
        """The models that answer: of those that can be called, if any provider is configured."""
        if "models" not in question.topics:
            return ()
        if question not in self._chosen:
            known, callable_ones = self._catalog.models, self._catalog.callable_models
            chosen = choose(question, callable_ones or known)
            # Somebody may ask for a model by its name that no configured provider has.
            if not chosen and question.names:
                chosen = choose(question, known)
            self._chosen[question] = chosen
        return self._chosen[question]

    def _provider_names(self) -> Mapping[str, str]:
        """Leads from a word to the provider that it names."""
        names = [*KNOWN_PROVIDERS, *self._catalog.providers]
        return {fold(name): name for name in names if not is_family(name)} | {
            name: name for name in KNOWN_PROVIDERS
        }

    def _current_names(self) -> ModelNames:
        revision = self._catalog.revision
        if self._names is None or self._names[0] is not revision:
            self._names = (revision, ModelNames(self._catalog.models))
        return self._names[1]


class RouterLexicon:
    """Knows which documents of the router a question asks for: its topics.

    `limit_kinds` are those of the limits that there are: quota, budget. `task_server` has the
    tasks, where they are not the gateway's own.
    """

    def __init__(
        self,
        reader: RouterReader,
        catalog: Catalog,
        *,
        limit_kinds: frozenset[str],
        task_server: str | None,
        is_owner: bool,
    ) -> None:
        self._reader = reader
        self._catalog = catalog
        self._limit_kinds = limit_kinds
        self._task_server = task_server
        self._is_owner = is_owner

    def read(self, words: Sequence[Word]) -> Reading:
        question = self._reader.read(words)
        hints = [*self._limit_hints(question), *self._model_hints(question)]
        # No word alone names a topic: it spans none.
        return Reading([Mention("topic", topic, 0, 0) for topic in sorted(question.topics)], hints)

    def _limit_hints(self, question: RouterQuestion) -> list[str]:
        if not self._is_owner:
            return [FOR_OWNERS] if question.topics & _OF_OWNERS else []
        missing = {"budget": NO_BUDGET, "quota": NO_QUOTA}
        hints = [
            hint
            for kind, hint in missing.items()
            if kind in question.topics and kind not in self._limit_kinds
        ]
        if "tasks" in question.topics and self._task_server is not None:
            hints.append(TASKS_ELSEWHERE.format(server=self._task_server))
        return hints

    def _model_hints(self, question: RouterQuestion) -> list[str]:
        if "models" not in question.topics:
            return []
        hints = [] if self._reader.choices(question) else [NONE_FITS]
        if not self._catalog.providers:
            hints.append(NONE_CONFIGURED)
        if question.cues.has("fastest"):
            hints.append(NO_SPEEDS)
        return hints


class ExceptOfRouter:
    """Keeps a lexicon from questions about the router, where `sol` and `near` are no coins."""

    def __init__(self, lexicon: Lexicon, reader: RouterReader, *, is_owner: bool) -> None:
        self._lexicon = lexicon
        self._reader = reader
        asked = f"{ASK_OF_MODELS}, {ASK_OF_THE_REST}," if is_owner else f"{ASK_OF_MODELS},"
        self._what_to_ask = f"{asked} {OR_A_COIN}"

    def read(self, words: Sequence[Word]) -> Reading:
        if self._reader.read(words).topics:
            return Reading()
        reading = self._lexicon.read(words)
        hints = [self._what_to_ask if hint == NAME_A_COIN else hint for hint in reading.hints]
        return replace(reading, hints=hints)

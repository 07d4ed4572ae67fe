"""What a question asks of the router: models, providers, spending, limits, or a choice."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal

from gateway.clock import Clock
from gateway.documents.query import Word, fold
from gateway.llm.task import TASKS, classify
from gateway.sources.amounts import Bound, amounts
from gateway.sources.models.names import ModelNames, NameSpan
from gateway.sources.task_question import asks_for_tasks
from gateway.sources.usage.windows import Named, named_windows
from gateway.sources.wording import Cues, wording

Topic = Literal[
    "models", "free_models", "providers", "usage", "quota", "budget", "routing", "route",
    "benchmark", "tasks",
]  # fmt: skip
ABILITIES = ("tools", "vision", "audio", "reasoning", "structured")
TIERS = ("free", "paid", "local", "included")
ORDERS = ("cheapest", "dearest", "newest", "oldest", "fastest", "most", "least")
_OF_MODELS = (
    "model", "llm", "provider", "price", "context", "output_length", "input_price",
    "output_price", "detail", *ABILITIES, *TIERS, *ORDERS, "at_least", "at_most", "million",
    "thousand", "token_word", "money_word",
)  # fmt: skip
# These are not read as a part of a name, unless a sign ties them to it: `qwen3-coder:free`.
_APART = (
    "model", "llm", "price", "context", "at_least", "at_most", "million", *ABILITIES, *TIERS,
    *ORDERS,
)  # fmt: skip
_OF_USAGE = (
    "period", "ours", "request_word", "spent", "used", "usage_part", "model", "llm", "provider",
    "token_word", "most", "odd",
)  # fmt: skip
_OF_LIMITS = (
    "quota", "budget", "limit", "period", "left", "request_word", "limit_part", "free", "paid",
    "provider", "model", "llm", "used", "usage_part", "token_word", "detail", "spent", "money_word",
    "outlook",
)  # fmt: skip
_OF_BENCHMARKS = (
    "benchmark", "benchmark_part", "model", "llm", "provider", "ours", "best", "free", "paid",
    "local", "cheapest", "fastest", "most", "least", "why", "detail", "period",
)  # fmt: skip
_OF_ROUTING = ("pick", "best", "model", "llm", "hardness", "free", "paid", *TASKS)
_OF_ROUTES = ("route", "why", "because_of", "chosen", "model", "llm", "provider", "pick")
_OF_PROVIDERS = ("provider", "configured", "llm", "model", "detail")
_FILLERS = frozenset(
    map(
        fold,
        (
            "a an the of for in on at to by with and or is are was were be its it my this that i "
            "me you we us do does did can could will would what which who when where how why "
            "there here if der die das dem den des ein eine von im el la los las un una de del y "
            "en le les du et lo di da dos das o e em na no am zu s d l"
        ).split(),
    )
)
_OPENLY = frozenset(
    "you what which where who was welche wer que quoi qui quien chi routing route routed".split()
)
# Behind these stands what a question is about: "spent on groceries", "a budget for the wedding".
_BEFORE_OBJECTS = frozenset(
    map(
        fold,
        (
            "on for at of in with about from to auf bei von fur mit an para por sobre con pour sur "
            "chez avec di per su da em para icin the a an my our your der die das meine mein el la "
            "mi le ma il der dem den"
        ).split(),
    )
)
# What a model is wanted for begins with one of these, and ends where the question goes on.
_BEFORE_PURPOSE = frozenset(map(fold, "for to if when fur zum zur wenn para pour si per".split()))
_GOES_ON = frozenset(map(fold, "which what who welche wer que quel quale".split()))
_AND = frozenset(map(fold, "and und y et e ve plus then also dann".split()))
_ENDS_CLAUSES = frozenset(",;?!")
# More of them, and the question is about something else.
MAX_STRANGERS = 2
_BY_LENGTH = ("few words",)


class RouterQuestion:
    """The words of one question, and which documents of the router it is about.

    Words that speak of none of them are strangers: with any of those, a question must have a
    better reason to be about the router, for "budget" and "opus" are ordinary words too.
    """

    def __init__(
        self,
        words: Sequence[Word],
        names: ModelNames,
        *,
        providers: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self.words = words
        self._provider_names = providers
        self.cues: Cues = wording().cues(words)
        self._known_names = names
        self._clock = clock

    @cached_property
    def names(self) -> list[NameSpan]:
        apart = self.cues.places(*_APART) | self._fillers | self.providers_places
        ordinary = self.cues.places(*_OF_MODELS, "everyday", *TASKS)
        return self._known_names.spans(self.words, apart=apart, ordinary=ordinary)

    @cached_property
    def amounts(self) -> list[Bound]:
        named = self.name_places
        return [one for one in amounts(self.words, self.cues) if one.start not in named]

    @cached_property
    def windows(self) -> tuple[Named, ...]:
        return named_windows(self.words, self._clock())

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are named, in order; "complex coding" is coding."""
        found = [task for task in TASKS if self.cues.has(task)]
        if not found and self._purpose:
            return self._likely_task()
        return tuple(sorted(found, key=lambda task: min(self.cues.places(task))))

    def _likely_task(self) -> tuple[str, ...]:
        """What a request of this purpose would be taken for: a limerick is creative."""
        purpose = " ".join(self.words[place].raw for place in sorted(self._purpose))
        likely = classify(purpose)
        return () if likely.because in (_BY_LENGTH, ()) else (likely.task,)

    @cached_property
    def providers_places(self) -> frozenset[int]:
        return frozenset(
            place for place, word in enumerate(self.words) if word.text in self._provider_names
        )

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The providers that are named, in order."""
        texts = (self.words[place].text for place in sorted(self.providers_places))
        return tuple(dict.fromkeys(self._provider_names[text] for text in texts))

    @cached_property
    def name_places(self) -> frozenset[int]:
        return frozenset(place for span in self.names for place in range(span.start, span.end))

    @cached_property
    def window_places(self) -> frozenset[int]:
        return frozenset(place for one in self.windows for place in range(one.start, one.end))

    @cached_property
    def topics(self) -> frozenset[Topic]:
        """What the question is about; nothing, where it speaks of other things."""
        if not self._may_be_ours:
            return frozenset()
        asks: dict[Topic, Callable[[], bool]] = {
            "route": self._asks_why,
            "benchmark": self._asks_for_benchmarks,
            "quota": self._asks_for_quota,
            "budget": self._asks_for_budget,
            "usage": self._asks_for_usage,
            "routing": self._asks_for_choice,
            "providers": self._asks_for_providers,
            "models": self._asks_for_models,
            "free_models": self._asks_for_free_models,
            "tasks": lambda: asks_for_tasks(self),
        }
        asked = frozenset(topic for topic, is_asked in asks.items() if is_asked())
        if "benchmark" in asked:
            # "How good is that model in my benchmarks" is no question about the model alone.
            asked -= {"models", "free_models", "routing"}
        if len(asked) > 1:
            # "Usage by task" asks for no list of them.
            asked -= {"tasks"}
        of_clauses = self._topics_of_clauses
        return of_clauses if len(of_clauses) > len(asked) else asked

    @cached_property
    def _topics_of_clauses(self) -> frozenset[Topic]:
        """What the parts of a question ask: "what did I spend, and why was that one chosen"."""
        clauses = [self._part(start, end) for start, end in _clauses(self.words)]
        if len(clauses) < 2:
            return frozenset()
        topics: frozenset[Topic] = frozenset()
        strange = 0
        for clause in clauses:
            topics |= clause.topics
            strange += 0 if clause.topics else len(clause.strangers(*_OF_USAGE, *_OF_ROUTES))
        # "On which model", beside what was spent, asks for no list of models.
        is_aside = len(topics) > 1 and not self.names and not self.cues.has(*ORDERS, *ABILITIES)
        return (
            frozenset() if strange > MAX_STRANGERS else topics - ({"models"} if is_aside else set())
        )

    def _part(self, start: int, end: int) -> "RouterQuestion":
        return RouterQuestion(
            self.words[start:end],
            self._known_names,
            providers=self._provider_names,
            clock=self._clock,
        )

    @property
    def _may_be_ours(self) -> bool:
        """A quick no for the many questions that are about something else."""
        if self.providers_places or self.names:
            return True
        return self.cues.has(
            "model", "provider", "spent", "used", "quota", "budget", "left", "pick", "route",
            "cheapest",
            "newest", "most", "because_of", "token_word", "limit", "benchmark", "task_word",
            *ABILITIES,
        )  # fmt: skip

    def strangers(self, *meanings: str) -> frozenset[int]:
        """The words that are neither every-day ones nor have one of these meanings."""
        known = self.cues.places(*meanings, "everyday") | self._fillers | self._told_places
        return frozenset(range(len(self.words))) - known

    def _speaks_of(self, core: str, *meanings: str) -> bool:
        """Whether the question is about what the words of `core` say, with a few others beside.

        A stranger next to them, or behind a preposition, says what else it is about: a wedding
        budget, the usage of a laptop.
        """
        strangers = self.strangers(*meanings)
        if not strangers:
            return True
        return (
            len(strangers) <= MAX_STRANGERS
            and self._is_personal
            and not any(self._is_object(place, self.cues.places(core)) for place in strangers)
        )

    @property
    def _is_personal(self) -> bool:
        return self.cues.has("ours") or bool(self.windows or self.providers_places)

    def _is_object(self, place: int, core: frozenset[int]) -> bool:
        if place + 1 in core or place - 1 in core:
            return True
        idle = (self.cues.places("everyday") | self._fillers) - self._told_places
        before = place - 1
        while before in idle and self.words[before].text not in _BEFORE_OBJECTS:
            before -= 1
        return before >= 0 and self.words[before].text in _BEFORE_OBJECTS

    @cached_property
    def _told_places(self) -> frozenset[int]:
        counted = {place for one in self.amounts for place in range(one.start, one.end)}
        return self.name_places | self.window_places | self.providers_places | counted

    @cached_property
    def _fillers(self) -> frozenset[int]:
        return frozenset(place for place, word in enumerate(self.words) if word.text in _FILLERS)

    def _asks_why(self) -> bool:
        cues = self.cues
        is_chosen = cues.has("because_of") and cues.has("chosen")
        if not cues.has("route") and not is_chosen:
            return False
        said = cues.places("why", "model", "llm", "route")
        return len(said) > 1 and not self.strangers(*_OF_ROUTES, *TASKS)

    def _asks_for_benchmarks(self) -> bool:
        is_asked = self.cues.has("benchmark")
        return is_asked and self._speaks_of("benchmark", *_OF_BENCHMARKS, *TASKS)

    def _asks_for_quota(self) -> bool:
        cues = self.cues
        is_limit = cues.has("limit") and bool(self.providers_places or cues.has("period"))
        is_counted = cues.has("request_word") and cues.has("left")
        is_asked = cues.has("quota") or is_counted or (is_limit and not cues.has("budget"))
        return is_asked and self._speaks_of("quota", *_OF_LIMITS, *TASKS)

    def _asks_for_budget(self) -> bool:
        return self.cues.has("budget") and self._speaks_of("budget", *_OF_LIMITS, *TASKS)

    def _asks_for_usage(self) -> bool:
        cues = self.cues
        # What may still be spent was not.
        is_asked = cues.places("spent", "used") - cues.places("budget", "quota")
        core = "spent" if cues.has("spent") else "used"
        if not is_asked and cues.has("ours") and self.windows:
            # "The tokens that we ran through last week".
            is_asked, core = cues.places("token_word", "request_word"), "token_word"
        if not is_asked or not self._speaks_of(core, *_OF_USAGE, *TASKS):
            return False
        if not self.windows and self.strangers(*_OF_USAGE, *TASKS):
            # "What would I pay for chainlink" is about a price.
            return False
        is_named = bool(self.names or self.providers_places)
        return is_named or bool(self.windows) or cues.has("usage_part", "model", "used")

    def _asks_for_choice(self) -> bool:
        cues = self.cues
        if self.strangers(*_OF_ROUTING) - self._purpose:
            return False
        if self._is_bounded and (not self.tasks or not cues.has("pick", "best")):
            return False
        if cues.has("model", "llm"):
            return cues.has("pick", "best") or bool(self.tasks) or bool(self._purpose)
        return cues.has("pick") and bool(self.tasks) and self._asks_openly

    @cached_property
    def _is_bounded(self) -> bool:
        """Whether it says what models must be like; a purpose may be large without that."""
        cues = self.cues
        sizes = cues.places("most", "least") - self._purpose
        others = (one for one in (*ABILITIES, *TIERS, *ORDERS) if one not in ("most", "least"))
        return cues.has(*others) or bool(sizes or self.amounts)

    @cached_property
    def _purpose(self) -> frozenset[int]:
        """The words that say what a model is wanted for: "a wedding speech"."""
        texts = [word.text for word in self.words]
        start = next((place for place, text in enumerate(texts) if text in _BEFORE_PURPOSE), None)
        if start is None:
            return frozenset()
        behind = range(start + 1, len(texts))
        return frozenset(
            range(start, next((place for place in behind if texts[place] in _GOES_ON), len(texts)))
        )

    @property
    def _asks_openly(self) -> bool:
        return not _OPENLY.isdisjoint(word.text for word in self.words)

    def _asks_for_providers(self) -> bool:
        cues = self.cues
        is_named = bool(self.providers_places) and not cues.has(
            "model", *ABILITIES, *TIERS, *ORDERS
        )
        is_asked = cues.has("provider") or is_named
        return is_asked and not self.strangers(*_OF_PROVIDERS, *_OF_MODELS)

    def _asks_for_models(self) -> bool:
        cues, strangers = self.cues, self.strangers(*_OF_MODELS, *TASKS, "best", "configured")
        if any(span.is_sure for span in self.names):
            return len(strangers) <= self._strangers_allowed
        if strangers and not self._bounds_models(strangers):
            return False
        is_open = not self._is_bounded
        if cues.has("provider") and is_open and not self.names:
            return False
        if self.names or cues.has("model"):
            # "Which model for coding?" asks for a choice.
            return bool(self.names) or not self.tasks or not is_open
        is_bounded = cues.has(*ABILITIES, "context") or self.providers_places
        return bool(cues.has(*ORDERS, *TIERS) and is_bounded)

    def _asks_for_free_models(self) -> bool:
        """Say "which free models are there", "a free one good enough for coding"."""
        cues = self.cues
        is_asked = cues.has("free") and cues.has("model", "llm")
        is_of_others = self.names or self.providers_places or self.amounts
        if not is_asked or is_of_others or cues.has(*ABILITIES, *ORDERS):
            return False
        return not self.strangers(*_OF_ROUTING, "enough") - self._purpose

    def _bounds_models(self, strangers: frozenset[int]) -> bool:
        """Whether so much is said of models that it may be said in other words too."""
        cues = self.cues
        said = sum(cues.has(one) for one in (*ABILITIES, *TIERS, *ORDERS, "context"))
        said += len(self.amounts) + len(self.providers) + cues.has("llm")
        core = cues.places("model", "llm")
        return (
            bool(core)
            and said >= 2 * len(strangers)
            and not any(self._is_object(place, core) for place in strangers)
        )

    @property
    def _strangers_allowed(self) -> int:
        """Names of several parts, such as `gpt 6 sol`, say more than `claude` does."""
        return 3 if any(span.name.versions for span in self.names) else 1


def _clauses(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Where the parts of a question begin and end: at its signs, and at each "and"."""
    begins = [
        place
        for place, word in enumerate(words)
        if place and (word.text in _AND or not _ENDS_CLAUSES.isdisjoint(word.gap))
    ]
    bounds = [0, *begins, len(words)]
    return list(pairwise(bounds))

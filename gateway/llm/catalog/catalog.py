"""All models that the gateway knows, from the embedded file, live lists and the user's own file."""

import logging
from collections.abc import Sequence
from datetime import date
from threading import Lock

from gateway.clock import Clock, now
from gateway.llm.catalog import embedded as embedded_file
from gateway.llm.catalog.assembly import Assembled, ConfiguredProvider, Known, assembled
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.catalog.embedded import Embedded
from gateway.llm.catalog.facts import Facts
from gateway.llm.catalog.listings import listed
from gateway.llm.catalog.model_index import ModelIndex
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.model import Model

logger = logging.getLogger(__name__)


class _Edition:
    """What the catalog says until it learns something new; it never changes."""

    def __init__(self, models: Assembled, overrides: Sequence[ModelOverride]) -> None:
        self.callable_models = models.callable_models
        self.models = (*models.callable_models, *models.others)
        self.index = ModelIndex(self.models, {one.id: one.aliases for one in overrides})


class Catalog:
    """Answers from memory, always; `learn` brings in what a provider's lists said.

    `models` are all that are known, `callable_models` those of configured providers. Where a
    subscription includes a model that can also be paid, both have the same ID. `revision` is a
    new object whenever anything changed, so that others know when to work out theirs again.
    """

    def __init__(
        self,
        providers: Sequence[ConfiguredProvider] = (),
        overrides: Sequence[ModelOverride] = (),
        *,
        embedded: Embedded | None = None,
        clock: Clock = now,
    ) -> None:
        self.embedded = embedded or embedded_file.read()
        self._providers = tuple(providers)
        self._overrides = tuple(overrides)
        self._clock = clock
        self._lists: dict[str, tuple[Facts, ...]] = {}
        # Lists are read in threads, so that requests need not wait for that.
        self._learning = Lock()
        self._day = clock().date()
        self._known = Known(self.embedded, self._day)
        self._edition = self._assembled()

    @property
    def models(self) -> Sequence[Model]:
        return self._current.models

    @property
    def callable_models(self) -> Sequence[Model]:
        return self._current.callable_models

    @property
    def providers(self) -> Sequence[str]:
        return tuple(provider.name for provider in self._providers)

    @property
    def revision(self) -> object:
        return self._current

    @property
    def as_of(self) -> date:
        """The day of the newest facts: of the latest live list, or else of the embedded file."""
        lists = (facts.as_of for listed in self._lists.values() for facts in listed)
        return max((one for one in lists if one), default=self.embedded.as_of)

    def get(self, model_id: str) -> Model | None:
        """The model of this ID; the included one where it could be paid too."""
        return self._current.index.get(model_id)

    def named(self, text: str) -> Sequence[Model]:
        """The models of this ID, wire name, bare name or alias, in this order."""
        return self._current.index.named(text)

    def near(self, text: str) -> list[str]:
        """IDs that somebody may have meant."""
        return self._current.index.near(text)

    def learn(self, provider: str, lists: Sequence[DatedListing]) -> None:
        """Replace what is known of a configured provider by what its lists said; in any thread.

        Raises:
            BadAnswer: they are no model lists; what was known stays.
        """
        facts = listed(lists)
        if facts is None:
            return
        with self._learning:
            if self._lists.get(provider) == facts:
                return
            self._lists[provider] = facts
            self._edition = self._assembled()
        logger.info("learned models: provider=%s models=%d", provider, len(facts))

    @property
    def _current(self) -> _Edition:
        today = self._clock().date()
        if today != self._day:
            self._turn_the_page(today)
        return self._edition

    def _turn_the_page(self, today: date) -> None:
        """Some prices change on a day that was announced."""
        with self._learning:
            announced = self.embedded.later_prices.values()
            starts = [change.start for changes in announced for change in changes]
            is_due = any(self._day < start <= today for start in starts)
            self._day = today
            if is_due:
                self._known = Known(self.embedded, today)
                self._edition = self._assembled()

    def _assembled(self) -> _Edition:
        models = assembled(
            self._known,
            self._providers,
            lists=self._lists,
            overrides=self._overrides,
            today=self._day,
        )
        return _Edition(models, self._overrides)

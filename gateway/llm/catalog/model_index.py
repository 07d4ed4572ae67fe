"""Finds models by what people call them: an ID, a wire name, a bare name, an alias, or nearly."""

from collections.abc import Iterable, Mapping, Sequence

from rapidfuzz import fuzz, process

from gateway.llm.catalog.facts import bare_name
from gateway.llm.catalog.plain_lists import MODEL
from gateway.llm.model import Model

MOST_SUGGESTIONS = 5
LEAST_LIKENESS = 60
# Comparing takes time by the length: 20 MB would keep everybody waiting for half a minute.
MOST_NAME_CHARACTERS = 300


class ModelIndex:
    """Of some models; what comes first in them comes first in what is found."""

    def __init__(self, models: Iterable[Model], aliases: Mapping[str, Iterable[str]]) -> None:
        self._by_id: dict[str, tuple[Model, ...]] = {}
        self._by_name: dict[str, tuple[str, ...]] = {}
        for model in models:
            variants = (*self._by_id.get(model.id, ()), model)
            # What is free comes first: whoever takes one of them takes that.
            self._by_id[model.id] = tuple(sorted(variants, key=lambda one: one.tier))
        for model_id, variants in self._by_id.items():
            for name in _names(variants[0], aliases.get(model_id, ())):
                self._by_name[name] = (*self._by_name.get(name, ()), model_id)

    def get(self, model_id: str) -> Model | None:
        variants = self._by_id.get(model_id)
        return variants[0] if variants else None

    def named(self, text: str) -> Sequence[Model]:
        """All variants, exact IDs first, then exact wire names, then the rest."""
        wanted = text.strip()
        found = dict.fromkeys((*self._of_id(wanted), *self._by_name.get(_key(wanted), ())))
        models = [model for model_id in found for model in self._by_id[model_id]]
        return sorted(models, key=lambda one: (one.id != wanted, one.name != wanted))

    def near(self, text: str) -> list[str]:
        """IDs that somebody may have meant, the likeliest first."""
        if len(text) > MOST_NAME_CHARACTERS:
            return []
        wanted = _key(text.strip().replace(" ", "-"))
        provider, _, name = wanted.partition("/")
        alike = [*self._alike(wanted), *(self._alike(name) if name else ())]
        ids = [
            (-score, not model_id.startswith(f"{provider}/"), model_id)
            for found, score in alike
            for model_id in self._by_name[found]
        ]
        # Sorted by likeness alone, then whether it is at the provider that was named.
        likeliest = sorted(ids, key=lambda one: one[:2])
        return list(dict.fromkeys(model_id for *_, model_id in likeliest))[:MOST_SUGGESTIONS]

    def _alike(self, name: str) -> list[tuple[str, float]]:
        found = process.extract(
            name,
            list(self._by_name),
            scorer=fuzz.ratio,
            limit=MOST_SUGGESTIONS,
            score_cutoff=LEAST_LIKENESS,
        )
        return [(one, score) for one, score, _ in found]

    def _of_id(self, text: str) -> Sequence[str]:
        if text in self._by_id:
            return (text,)
        provider, _, name = text.partition("/")
        same_name = self._by_name.get(_key(name), ())
        return tuple(one for one in same_name if one.partition("/")[0] == provider.lower())


def _names(model: Model, aliases: Iterable[str]) -> set[str]:
    deployed = model.details.get(MODEL)
    names = {_key(model.name), bare_name(model.name), *map(_key, aliases)}
    return names if deployed is None else names | {_key(deployed), bare_name(deployed)}


def _key(name: str) -> str:
    return name.lower().replace(".", "-")

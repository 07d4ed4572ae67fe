"""Puts together what the embedded file, the live lists and the user say into models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from gateway.llm.catalog.embedded import Embedded
from gateway.llm.catalog.facts import Facts, bare_name, facts_of, free_of_charge, model_of
from gateway.llm.catalog.override import ModelOverride, overridden
from gateway.llm.catalog.plain_lists import MODEL
from gateway.llm.model import Model

# They run what somebody has at home: only their own lists can tell what that is.
LOCAL_KINDS = frozenset({"ollama", "lmstudio"})
# What has no price in their list has none that holds: `openrouter/auto` costs what it picks.
_TELL_ALL_PRICES = frozenset({"openrouter"})
# Whose word on a model itself counts most: its maker's, then the most careful lists.
TRUST = (
    "openai",
    "anthropic",
    "vertex",
    "deepseek",
    "mistral",
    "xai",
    "openrouter",
    "azure",
    "groq",
    "ollama",
    "lmstudio",
    "nanogpt",
)


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """`deployments` lead from Azure's names to those of models.

    `known_as` is the provider whose embedded models and prices hold here, such as `groq`; empty
    for none, as at an address of one's own. Without it they are those of the name or the kind.
    """

    name: str
    kind: str
    deployments: Mapping[str, str] = field(default_factory=dict)
    known_as: str | None = None

    @property
    def is_local(self) -> bool:
        return self.kind in LOCAL_KINDS


@dataclass(frozen=True, slots=True)
class Assembled:
    """`callable_models` are at configured providers; `others` are only known."""

    callable_models: tuple[Model, ...]
    others: tuple[Model, ...]


class Known:
    """The embedded models at the prices of one day."""

    def __init__(self, embedded: Embedded, today: date) -> None:
        self._providers = {
            provider: {model.name: _priced(model, embedded, today) for model in models}
            for provider, models in embedded.models.items()
        }
        self._by_bare_name: dict[str, Model] = {}
        for provider in sorted(self._providers, key=trust):
            for name, model in self._providers[provider].items():
                self._by_bare_name.setdefault(bare_name(name), model)

    def models(self, provider: str) -> Mapping[str, Model]:
        return self._providers.get(provider, {})

    def providers(self) -> Iterable[str]:
        return self._providers

    def provider_of(self, configured: ConfiguredProvider) -> str:
        if configured.known_as is not None:
            return configured.known_as
        return configured.name if configured.name in self._providers else configured.kind

    def filled(self, facts: Facts, provider: str) -> Facts:
        """With what is embedded of the model at this provider, or else of the model itself."""
        if (model := self.models(provider).get(facts.name)) is not None:
            known = facts_of(model)
            if provider in _TELL_ALL_PRICES:
                known = replace(known, price=None)
            # Lists date models by when they were listed.
            return replace(facts.filled_from(known), released=known.released or facts.released)
        kin = self._by_bare_name.get(bare_name(facts.name))
        return facts if kin is None else facts.filled_from_kin(facts_of(kin))

    def deployed(self, facts: Facts, provider: str) -> Facts:
        """With all that is known of the model that a deployment is of.

        Its price is known if the model is named with its provider, or listed at this one.
        """
        wanted = (facts.details or {}).get(MODEL, facts.name)
        maker, _, name = wanted.partition("/")
        exact = self.models(maker).get(name) or self.models(provider).get(wanted)
        if exact is not None:
            return facts.filled_from(facts_of(exact))
        kin = self._by_bare_name.get(bare_name(wanted))
        return facts if kin is None else facts.filled_from(replace(facts_of(kin), price=None))


def assembled(
    known: Known,
    providers: Sequence[ConfiguredProvider],
    *,
    lists: Mapping[str, Sequence[Facts]],
    overrides: Sequence[ModelOverride],
    today: date,
) -> Assembled:
    """What can be called, and what else is known.

    A provider whose list came offers what is in it; until then, what is embedded of it.
    """
    callable_models = [
        model
        for provider in providers
        for model in _offered(known, provider, lists.get(provider.name), today)
    ]
    ids = {model.id for model in callable_models}
    listed = {one.name for one in providers if one.name in lists and not one.deployments}
    others = [
        model
        for provider in known.providers()
        if provider not in LOCAL_KINDS | listed
        for model in known.models(provider).values()
        if model.id not in ids
    ]
    return _as_the_user_says(callable_models, others, providers, overrides, today)


def _offered(
    known: Known, provider: ConfiguredProvider, listed: Sequence[Facts] | None, today: date
) -> list[Model]:
    its_name = known.provider_of(provider)
    if provider.deployments or provider.kind == "azure":
        return [
            model_of(known.deployed(facts, its_name), provider.name)
            for facts in listed or _deployments(provider, today)
        ]
    if listed is not None:
        return [
            model_of(_at_home(known.filled(one, its_name), provider), provider.name)
            for one in listed
        ]
    if provider.is_local:
        return []
    offered = [one for one in known.models(its_name).values() if not _is_deprecated(one)]
    return [_moved(model, provider.name) for model in offered]


def _deployments(provider: ConfiguredProvider, today: date) -> list[Facts]:
    return [
        Facts(name=name, details={MODEL: model}, source="deployment", as_of=today)
        for name, model in provider.deployments.items()
    ]


def _at_home(facts: Facts, provider: ConfiguredProvider) -> Facts:
    """A plain list does not say that nobody bills for it; Ollama's own does, of each model."""
    if provider.kind != "lmstudio" or facts.as_of is None:
        return facts
    return replace(facts, is_local=True, price=free_of_charge(facts.as_of))


def _as_the_user_says(
    callable_models: Iterable[Model],
    others: Iterable[Model],
    providers: Sequence[ConfiguredProvider],
    overrides: Sequence[ModelOverride],
    today: date,
) -> Assembled:
    local = {one.name for one in providers if one.is_local}
    configured = {one.name for one in providers}
    by_id: dict[str, list[Model]] = {}
    for model in (*callable_models, *others):
        by_id.setdefault(model.id, []).append(model)
    callable_ids = {model.id for model in callable_models}
    for override in overrides:
        is_local = override.provider in local
        by_id[override.id] = overridden(
            by_id.get(override.id, []), override, is_local=is_local, today=today
        )
        if override.provider in configured:
            callable_ids.add(override.id)
    return Assembled(
        tuple(one for id_, models in by_id.items() if id_ in callable_ids for one in models),
        tuple(one for id_, models in by_id.items() if id_ not in callable_ids for one in models),
    )


def _priced(model: Model, embedded: Embedded, today: date) -> Model:
    later = embedded.later_prices.get(model.id, ())
    due = [change for change in later if change.start <= today]
    if not due:
        return model
    return replace(model, price=max(due, key=lambda change: change.start).price)


def _moved(model: Model, provider: str) -> Model:
    if model.provider == provider:
        return model
    return replace(model, id=f"{provider}/{model.name}", provider=provider)


def _is_deprecated(model: Model) -> bool:
    return model.details.get("status") == "deprecated"


def trust(provider: str) -> int:
    return TRUST.index(provider) if provider in TRUST else len(TRUST)

"""The policy of the router, put together from all that the settings say about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.config.limits import microusd
from gateway.config.model_ids import full_id
from gateway.config.models_file import FallbackEntry, ModelConfig, ModelsFile
from gateway.config.overrides import model_override
from gateway.errors import ConfigurationError
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.model import Tier
from gateway.llm.policy import FallbackAction

_TIERS: tuple[Tier, ...] = ("free", "paid")


@dataclass(frozen=True, slots=True)
class Selection:
    """What `models.yaml` says about routing, with the providers that are configured."""

    models: ModelsFile
    configured: Collection[str]

    def full_id(self, text: str) -> str:
        return full_id(text, provider=self.models.api.provider, configured=self.configured)

    def listed(self, tier: Tier) -> tuple[str, ...]:
        return tuple(self.full_id(model.id) for model in self._tier(tier))

    @property
    def tier_order(self) -> tuple[Tier, ...]:
        """The lowest number first; without numbers, free before paid."""
        tiers = self.models.tiers
        numbers = {"free": tiers.free.priority or 1, "paid": tiers.paid.priority or 2}
        return tuple(sorted(_TIERS, key=lambda tier: numbers[tier]))

    @property
    def task_models(self) -> Mapping[str, tuple[str, ...]]:
        mapping = self.models.model_selection.task_mapping
        return {
            task: tuple(name if name in _TIERS else self.full_id(name) for name in names)
            for task, names in mapping.items()
        }

    @property
    def on_quota_exceeded(self) -> tuple[FallbackAction, ...]:
        return tuple(map(self._action, self.models.fallback.on_quota_exceeded))

    def aliases(self, stated: Mapping[str, str]) -> Mapping[str, str]:
        """Raises:
        ConfigurationError: an alias stands for two models, or for an automatic route.
        """
        aliases = dict(stated)
        for tier in _TIERS:
            for model in self._tier(tier):
                for alias in model.aliases:
                    target = self.full_id(model.id)
                    if aliases.setdefault(alias, target) != target:
                        raise ConfigurationError(
                            f"aliases: {alias} stands for {aliases[alias]} and {target}; remove one"
                        )
        for alias in aliases:
            if alias == "auto" or alias.startswith("auto:"):
                raise ConfigurationError(f"aliases: {alias} is an automatic route; choose another")
        return aliases

    @property
    def overrides(self) -> tuple[ModelOverride, ...]:
        return tuple(
            model_override(model, model_id=self.full_id(model.id), tier=tier)
            for tier in _TIERS
            for model in self._tier(tier)
        )

    def _tier(self, tier: Tier) -> tuple[ModelConfig, ...]:
        tiers = self.models.tiers
        return tiers.free.models if tier == "free" else tiers.paid.models

    def _action(self, entry: FallbackEntry) -> FallbackAction:
        return FallbackAction(
            entry.action,
            max_cost_microusd=None if entry.max_cost is None else microusd(entry.max_cost),
            alternative=self.full_id(entry.alternative) if entry.alternative else None,
            message=entry.message,
        )

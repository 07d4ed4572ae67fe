"""Limits: those of `limits`, of each caller, and of the tiers and quotas in `models.yaml`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from gateway.config.formats import WindowText
from gateway.config.models_file import ModelsFile, QuotaConfig
from gateway.config.strict import Count, Listed, Name, Strict, Usd
from gateway.errors import ConfigurationError
from gateway.usage.call import Unit
from gateway.usage.limit import Dimension, Limit
from gateway.usage.window import Window

# Without the request: a limit of one request is what an agent's run has, and nothing else.
Stated = Literal["caller", "tier", "provider", "model", "context", "task"]

_DEFAULT_WINDOW = "rolling_30_days"
_UNITS: Mapping[str, Unit] = {
    "budget_usd": "microusd",
    "quota_requests": "requests",
    "quota_tokens": "tokens",
    "quota_input_tokens": "input_tokens",
}


class LimitConfig(Strict):
    """At most so much, of one unit, in each window, for the calls that `where` matches."""

    name: Name
    budget_usd: Usd | None = None
    quota_requests: Count | None = None
    quota_tokens: Count | None = None
    quota_input_tokens: Count | None = None
    window: WindowText
    where: dict[Stated, str] = Field(default_factory=dict)
    per: Listed[Stated] = ()
    alert_only: bool = False

    @model_validator(mode="after")
    def _has_one_unit(self) -> "LimitConfig":
        if len([unit for unit in _UNITS if getattr(self, unit) is not None]) != 1:
            raise ValueError(f"takes exactly one of {', '.join(_UNITS)}")
        return self

    @property
    def limit(self) -> Limit:
        key = next(unit for unit in _UNITS if getattr(self, unit) is not None)
        most = getattr(self, key)
        return Limit(
            self.name,
            _UNITS[key],
            microusd(most) if key == "budget_usd" else most,
            Window.parse(self.window),
            where=dict(self.where.items()),
            per=self.per,
            is_hard=not self.alert_only,
        )


def microusd(usd: float) -> int:
    # Through its shortest text: 0.1 is meant, not 0.1000000000000000055.
    return int(Decimal(str(usd)) * 1_000_000)


def limits_of_file(models: ModelsFile) -> Iterator[Limit]:
    """The quota of the subscription, and the quotas and the budgets of the tiers."""
    provider = models.api.provider
    window = models.quota.tracking_window or _DEFAULT_WINDOW
    included: Mapping[Dimension, str] = {"tier": "free", "provider": provider}
    yield from limits_for(provider, _counted(models.quota), window=window, where=included)
    for name, tier in (("free", models.tiers.free), ("paid", models.tiers.paid)):
        quota = tier.quota or QuotaConfig()
        budget = None if tier.budget_limit is None else microusd(tier.budget_limit)
        yield from limits_for(
            name,
            {**_counted(quota), "microusd": budget},
            window=quota.tracking_window or window,
            where={"tier": name},
        )


def with_distinct_names(limits: Iterable[Limit]) -> Sequence[Limit]:
    """Raises:
    ConfigurationError: a document `budget:{name}` could mean two of them.
    """
    by_name: dict[str, Limit] = {}
    for limit in limits:
        if limit.name in by_name:
            raise ConfigurationError(f"limits: two have the name {limit.name}; rename one")
        by_name[limit.name] = limit
    return tuple(by_name.values())


def lets_pay(limit: Limit) -> bool:
    """Whether it bounds everything that is paid, so that a bill cannot come as a surprise."""
    paid = limit.where.get("tier", "paid")
    is_for_all = set(limit.where) <= {"tier"} and paid in ("paid", "*")
    return limit.is_budget and limit.is_hard and limit.most > 0 and is_for_all


def limits_for(
    name: str, allowed: Mapping[Unit, int | None], *, window: str, where: Mapping[Dimension, str]
) -> Iterator[Limit]:
    """One limit for each unit that is bounded, named `free-requests` or `alice-budget`."""
    for unit, most in allowed.items():
        if most is not None:
            title = "budget" if unit == "microusd" else unit.replace("_", "-")
            yield Limit(f"{name}-{title}", unit, most, Window.parse(window), where=where)


def _counted(quota: QuotaConfig) -> Mapping[Unit, int | None]:
    return {
        "requests": quota.requests or quota.monthly_limit,
        "tokens": quota.tokens,
        "input_tokens": quota.input_tokens,
    }

"""`models.yaml`: which models there are, what they may cost, and which is taken for what."""

from typing import Annotated, Any, get_args

from pydantic import Field, field_validator, model_validator

from gateway.config.formats import WebUrl, WindowText
from gateway.config.strict import Count, Listed, Name, Seconds, Strict, Text, Usd
from gateway.llm.policy import (
    FALLBACK_STRATEGIES,
    WHOLE_ANSWERS,
    Action,
    FallbackStrategy,
    Strategy,
)
from gateway.llm.task import TASKS, Band

BANDS: tuple[str, ...] = get_args(Band)
# Two words that users write for three bands.
_WIDE_BANDS = {"simple": ("low", "medium"), "complex": ("high",)}


class ApiConfig(Strict):
    """The provider that models without a provider's name are of."""

    provider: Name = "nanogpt"
    base_url: WebUrl | None = None
    api_key: Annotated[Text | None, Field(repr=False)] = None
    timeout: Seconds | None = None


class QuotaConfig(Strict):
    """What a subscription includes in its window."""

    monthly_limit: Count | None = None
    requests: Count | None = None
    tokens: Count | None = None
    input_tokens: Count | None = None
    tracking_window: WindowText | None = None

    @model_validator(mode="after")
    def _counts_requests_once(self) -> "QuotaConfig":
        if self.monthly_limit is not None and self.requests is not None:
            raise ValueError("monthly_limit and requests are the same; set one of them")
        return self


class ModelConfig(Strict):
    """One model; what is set wins over the catalog. Prices are USD for a million tokens."""

    id: Text
    max_tokens: Count | None = None
    context_tokens: Count | None = None
    cost_per_request: Usd | None = None
    input_price: Usd | None = None
    output_price: Usd | None = None
    cache_read_price: Usd | None = None
    cache_write_price: Usd | None = None
    use_cases: Listed[Text] = ()
    aliases: Listed[Text] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_id(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class TierConfig(Strict):
    priority: Count | None = None
    quota: QuotaConfig | None = None
    budget_limit: Usd | None = None
    models: Listed[ModelConfig] = ()

    @field_validator("quota", mode="before")
    @classmethod
    def _of_requests(cls, value: Any) -> Any:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return {"requests": value} if is_number else value


class TiersConfig(Strict):
    free: TierConfig = TierConfig()
    paid: TierConfig = TierConfig()


class ExploreConfig(Strict):
    """The share of requests that try a model to learn more of it; work is spared."""

    share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    work: bool = False


class SelectionConfig(Strict):
    """`task_mapping` leads from a task, or from `task:band` for some complexities only."""

    strategy: Strategy = "task_based"
    task_mapping: dict[str, Listed[Text]] = Field(default_factory=dict)
    explore: ExploreConfig = ExploreConfig()

    @field_validator("task_mapping", mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        flat: dict[Any, Any] = {}
        for task, models in value.items():
            if task not in TASKS:
                raise ValueError(f"takes the tasks {', '.join(TASKS)}{_other(task)}")
            flat |= _by_band(task, models) if isinstance(models, dict) else {task: _list(models)}
        return flat


class FallbackEntry(Strict):
    action: Action
    max_cost: Usd | None = None
    alternative: Text | None = None
    message: Text | None = None

    @model_validator(mode="after")
    def _fits_its_action(self) -> "FallbackEntry":
        fitting = {"use_paid": "max_cost", "use_cheaper_model": "alternative", "error": "message"}
        for action, key in fitting.items():
            if getattr(self, key) is not None and self.action != action:
                raise ValueError(f"{key} goes with action: {action}, not {self.action}")
        return self


class DegradedConfig(Strict):
    """Which requests may be answered to less than they ask, beside personal ones that name none."""

    work: bool = False
    named: bool = False


class FallbackConfig(Strict):
    """`strategies` are tried in this order when no answer comes; none of them is no fallback."""

    strategies: Listed[FallbackStrategy] = WHOLE_ANSWERS
    degraded: DegradedConfig = DegradedConfig()
    on_quota_exceeded: Listed[FallbackEntry] = ()

    @field_validator("strategies", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list):
            return names
        takes = f"takes {', '.join(FALLBACK_STRATEGIES)}, each once"
        for place, name in enumerate(names):
            if name not in FALLBACK_STRATEGIES:
                raise ValueError(f"{takes}{_other(name)}")
            if name in names[:place]:
                raise ValueError(f"{takes}; {name} stands there twice")
        return names

    @model_validator(mode="after")
    def _degrades_only_where_it_may(self) -> "FallbackConfig":
        is_off = "degraded" not in self.strategies
        if is_off and (self.degraded.work or self.degraded.named):
            raise ValueError("degraded goes with strategies that name degraded")
        return self

    @field_validator("on_quota_exceeded", mode="before")
    @classmethod
    def _of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value


class ModelsFile(Strict):
    api: ApiConfig = ApiConfig()
    quota: QuotaConfig = QuotaConfig()
    tiers: TiersConfig = TiersConfig()
    model_selection: SelectionConfig = SelectionConfig()
    fallback: FallbackConfig = FallbackConfig()

    @property
    def names_paid_models(self) -> bool:
        return bool(self.tiers.paid.models)


def _by_band(task: str, models: dict[Any, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for band, names in models.items():
        bands = _WIDE_BANDS.get(band, (band,) if band in BANDS else ())
        if not bands:
            words = ", ".join((*BANDS, *_WIDE_BANDS))
            raise ValueError(f"{task} takes the complexities {words}{_other(band)}")
        flat |= {f"{task}:{one}": _list(names) for one in bands}
    return flat


def _list(models: Any) -> Any:
    return [models] if isinstance(models, str) else models


def _other(word: object) -> str:
    return f", not {word!r}" if len(str(word)) <= 30 else ""

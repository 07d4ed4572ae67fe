"""What `models.yaml` says of single models, as the catalog takes it."""

from decimal import Decimal

from gateway.config.limits import microusd
from gateway.config.models_file import ModelConfig
from gateway.llm.catalog.override import ModelOverride
from gateway.llm.model import Tier


def model_override(model: ModelConfig, *, model_id: str, tier: Tier) -> ModelOverride:
    request = model.cost_per_request
    return ModelOverride(
        id=model_id,
        tier=tier,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_tokens,
        input_usd=_usd(model.input_price),
        output_usd=_usd(model.output_price),
        cache_read_usd=_usd(model.cache_read_price),
        cache_write_usd=_usd(model.cache_write_price),
        cost_per_request_microusd=None if request is None else microusd(request),
        use_cases=model.use_cases,
        aliases=model.aliases,
    )


def _usd(price: float | None) -> Decimal | None:
    return None if price is None else Decimal(str(price))

"""The model that savings are told against, and the savings of a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.errors import InvalidRequest, NotFound
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.messages import Usage
from gateway.llm.model import Model, Price
from gateway.llm.prior import Priors
from gateway.text import shown
from gateway.usage.ledger import Ledger
from gateway.usage.savings import Alternative, Savings, savings
from gateway.usage.workload import Workload

_COUNTS = ("calls", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")


async def saved(
    ledger: Ledger,
    catalog: Catalog,
    start: datetime,
    end: datetime,
    *,
    alternative: str | None = None,
    caller: str | None = None,
) -> Savings:
    """What the calls that began in `[start, end)` saved, of one caller or of all.

    Raises:
        NotFound: there is no such alternative.
        InvalidRequest: its price is not known, or it has none.
    """
    workloads = await ledger.workloads(start, end, caller=caller)
    found = (_named(catalog, alternative), "as asked") if alternative else None
    found = found or usual(catalog, workloads)
    if found is None:
        return savings(workloads)
    other = _alternative(*found)
    if other.above_tokens:
        workloads = await ledger.workloads(
            start, end, above_tokens=other.above_tokens, caller=caller
        )
    return savings(workloads, other)


def usual(catalog: Catalog, workloads: Sequence[Workload]) -> tuple[Model, str] | None:
    """The paid model that was used most; or else the cheapest that is expected to be as good.

    As good as the model that was used most, by what the catalog tells of both: who calls nothing
    but free models would hardly pay for the dearest instead of them. With the reason.
    """
    for place, model_id in enumerate(_most_used(workloads, tier="paid")):
        if model := _priced(catalog.named(model_id)):
            of_all = "" if place == 0 else ", of those whose price is known,"
            return model, f"the paid model that{of_all} was used most in this time"
    known = [one for model_id in _most_used(workloads) if (one := catalog.get(model_id))]
    model = _as_good(catalog, known[0], workloads) if known else None
    if model is None:
        return None
    as_good = f"is expected to be as good as {known[0].id}"
    return model, f"the cheapest paid model that can be called and {as_good}"


def _as_good(catalog: Catalog, used: Model, workloads: Sequence[Workload]) -> Model | None:
    priors = Priors(catalog.models)
    least, load = priors.quality(used), _together(workloads)
    candidates = [
        (cost, one.id, one)
        for one in catalog.callable_models
        if _priced([one]) and priors.quality(one) >= least
        if (cost := _cost(one, load)) is not None
    ]
    return min(candidates, key=lambda candidate: candidate[:2])[2] if candidates else None


def _together(workloads: Sequence[Workload]) -> Workload:
    """All that went well as one, at the first step: good enough to tell which model is cheaper."""
    ok = [one for one in workloads if one.is_ok]
    sums = {name: sum(getattr(one, name) for one in ok) for name in _COUNTS}
    return replace(ok[0], input_step=0, **sums)


def _most_used(workloads: Sequence[Workload], *, tier: str | None = None) -> list[str]:
    tokens: Counter[str] = Counter()
    for one in workloads:
        if one.is_ok and one.is_counted and one.request_type == "chat" and tier in (None, one.tier):
            tokens[one.model] += one.input_tokens + one.output_tokens
    return [model for model, _ in tokens.most_common()]


def _named(catalog: Catalog, name: str) -> Model:
    found = catalog.named(name)
    if not found:
        raise NotFound(
            f"there is no model {shown(name)!r}", what="model", suggestions=catalog.near(name)
        )
    if model := _priced(found):
        return model
    raise InvalidRequest(
        f"{found[0].id} has no list price, so it cannot be an alternative; name a paid model"
    )


def _priced(models: Sequence[Model]) -> Model | None:
    """The first that has a price which is known and not nothing."""
    return next(
        (
            one
            for one in models
            if one.price and one.price.is_known and not one.price.is_free
            if not one.is_local and "text" in one.output_modalities
        ),
        None,
    )


def _alternative(model: Model, why: str) -> Alternative:
    price = model.price
    assert price is not None
    return Alternative(
        model.id,
        why,
        price.source,
        price.as_of,
        lambda load: _cost(model, load),
        tuple(sorted(tier.above_tokens for tier in price.tiers)),
    )


def _cost(model: Model, load: Workload) -> int | None:
    """By the rates of its step: the tokens are those of many calls, the step that of each."""
    price = model.price
    if price is None:
        return None
    step = _step(price, load.input_step)
    usage = Usage(
        load.input_tokens, load.output_tokens, load.cached_tokens, load.cache_write_tokens
    )
    cost = step.cost_microusd(usage)
    # The fee of one call is in it.
    fees = int((step.rates.request or 0) * (load.calls - 1))
    return None if cost is None else cost + fees


def _step(price: Price, step: int) -> Price:
    tiers = sorted(price.tiers, key=lambda tier: tier.above_tokens)
    rates = tiers[step - 1].rates if 0 < step <= len(tiers) else price.rates
    return replace(price, rates=rates, tiers=())

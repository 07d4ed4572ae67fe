"""A model or a provider in words: limits, abilities, and every price with its source and date."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from gateway.llm.model import Model, PriceTier, Rates
from gateway.sources.market.rendering import inert
from gateway.sources.money import UNKNOWN, rate

MOST_LISTED = 20


def title(model: Model) -> str:
    return f"{plain(model.title)} ({model.provider}): {cost(model)}, {context(model)}"


def cost(model: Model) -> str:
    """Such as `$2 in, $10 out per 1M tokens`."""
    if model.is_local:
        return "free, on your own machine"
    if model.is_included:
        return "free, included in the subscription"
    if model.price is None or not model.price.is_known:
        return "price unknown"
    if model.price.is_free:
        return "free"
    rates = model.price.rates
    return f"{rate(rates.input)} in, {rate(rates.output)} out per 1M tokens"


def context(model: Model) -> str:
    if model.context_tokens is None:
        return "context unknown"
    return f"{model.context_tokens:,} tokens of context"


def abilities(model: Model) -> str:
    known = {
        "tools": model.has_tools,
        "vision": model.has_vision,
        "reasoning": model.has_reasoning,
        "structured output": model.has_structured_output,
    }
    return ", ".join(name for name, can in known.items() if can) or "text only, as far as is known"


def snippet(model: Model) -> str:
    released = f"; released {model.released}" if model.released else ""
    return f"{model.tier} tier; {abilities(model)}{released}; as of {day(model.as_of)}."


def text(models: Sequence[Model], elsewhere: Sequence[Model]) -> str:
    """One model as markdown; two, where a subscription covers it and the balance pays it too."""
    model = models[0]
    facts = {
        "ID": f"`{plain(model.id)}`",
        "Provider": model.provider,
        "Tier": " or ".join(dict.fromkeys(one.tier for one in models)),
        "Context": tokens(model.context_tokens),
        "Longest input": tokens(model.max_input_tokens),
        "Longest output": tokens(model.max_output_tokens),
        "Reads": ", ".join(sorted(model.input_modalities)),
        "Writes": ", ".join(sorted(model.output_modalities)),
        "Tool calling": truth(model.has_tools),
        "Structured output": truth(model.has_structured_output),
        "Reasoning": truth(model.has_reasoning),
        "Temperature": truth(model.has_temperature),
        "Released": day(model.released),
        "Knowledge until": model.knowledge or UNKNOWN,
        **{name.replace("_", " ").capitalize(): value for name, value in model.details.items()},
    }
    if model.use_cases:
        facts["Used for"] = ", ".join(model.use_cases)
    parts = [
        f"**{plain(model.title)} by {model.provider}: {cost(model)}.**",
        plain(model.description),
        table(("Fact", "Value"), facts.items()),
        "## Prices in US dollars per million tokens",
        _prices(models),
        _elsewhere(elsewhere),
    ]
    return "\n\n".join(part for part in parts if part)


def summary(model: Model) -> str:
    return (
        f"{cost(model)[:1].upper()}{cost(model)[1:]}; {context(model)}; "
        f"{abilities(model)}; {model.tier} tier."
    )


def tokens(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,} tokens"


def truth(value: bool | None) -> str:
    return {True: "yes", False: "no", None: UNKNOWN}[value]


def day(moment: date | None) -> str:
    return moment.isoformat() if moment else UNKNOWN


def plain(words: str) -> str:
    """Text of a provider, as plain text."""
    return str(inert(words))


def models_table(models: Iterable[Model]) -> str:
    """With prices in US dollars per million tokens."""
    rows = [
        (
            f"`{plain(model.id)}`",
            *_usual_rates(model),
            tokens(model.context_tokens).removesuffix(" tokens"),
            model.tier,
            abilities(model),
        )
        for model in models
    ]
    head = ("Model", "In", "Out", "Context", "Tier", "Abilities")
    return table(head, rows) if rows else ""


def _usual_rates(model: Model) -> tuple[str, str]:
    if model.tier == "free":
        return "free", "free"
    if model.price is None:
        return UNKNOWN, UNKNOWN
    return rate(model.price.rates.input), rate(model.price.rates.output)


def _prices(models: Sequence[Model]) -> str:
    rows = [row for model in models for row in _price_rows(model)]
    head = ("Applies", "Input", "Output", "Cache read", "Cache write", "Each call", "Source")
    return table(head, rows)


def _price_rows(model: Model) -> Iterable[tuple[str, ...]]:
    if model.is_included:
        yield ("within the subscription", *["$0"] * 5, plain(model.source))
    if model.price is None:
        if not model.is_included:
            yield ("always", *[UNKNOWN] * 5, "no list names a price")
        return
    source = f"{plain(model.price.source)}, {model.price.as_of}"
    applies = "at list price" if model.is_included else "always"
    yield (applies if not model.price.tiers else "at first", *_rates(model.price.rates), source)
    for tier in model.price.tiers:
        yield (_above(tier), *_rates(tier.rates), source)


def _above(tier: PriceTier) -> str:
    return f"input above {tier.above_tokens:,} tokens"


def _rates(rates: Rates) -> tuple[str, ...]:
    """A cache rate that no list names counts as the input rate."""
    cached = (rate(one) if one is not None else "as input" for one in _cache(rates))
    each = "none" if not rates.request else rate(rates.request / 1_000_000)
    return (rate(rates.input), rate(rates.output), *cached, each)


def _cache(rates: Rates) -> tuple[Decimal | None, ...]:
    return (rates.cache_read, rates.cache_write)


def _elsewhere(models: Sequence[Model]) -> str:
    if not models:
        return "No other provider is known to offer it."
    listed = models_table(models[:MOST_LISTED])
    return f"## The same model elsewhere, in US dollars per million tokens\n\n{listed}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

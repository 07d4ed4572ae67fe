"""Whether a search found what a golden question about the router asks for."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.llm.model import Model

GOLDEN = Path(__file__).parents[1] / "golden"
# When the questions are asked, where a clock can be set.
ASKED_ON = date(2026, 11, 21)
_CALENDAR_ID = re.compile(r"usage:20\d\d\S*")
_NAMES_A_DATE = re.compile(
    r"\d{4}|\d(st|nd|rd|th)\b|(mon|tues|wednes|thurs|fri|satur|sun)day|montag"
    r"|january|february|march|april|june|july|august|september|october|november|december",
    re.IGNORECASE,
)
Question = dict[str, Any]


def questions(name: str) -> list[Question]:
    asked: list[Question] = tomllib.loads((GOLDEN / name).read_text("utf-8"))["question"]
    return asked


def asked_today(question: Question, today: date) -> Question | None:
    """The same question with what it means today; None, where it names a date by itself."""
    first = question.get("first", ())
    if not any(map(_CALENDAR_ID.fullmatch, first)):
        return question
    if _NAMES_A_DATE.search(question["ask"]):
        return None
    then, now = _windows(ASKED_ON), _windows(today)
    meant = {f"usage:{window}": f"usage:{now[name]}" for name, window in then.items()}
    if not {one for one in first if _CALENDAR_ID.fullmatch(one)} <= set(meant):
        return None
    return {**question, "first": [meant.get(one, one) for one in first]}


def _windows(today: date) -> Mapping[str, str]:
    this, last = today.isocalendar(), (today - timedelta(days=7)).isocalendar()
    return {
        "this week": f"{this.year}-W{this.week:02d}",
        "last week": f"{last.year}-W{last.week:02d}",
        "this month": f"{today:%Y-%m}",
        "last month": f"{today.replace(day=1) - timedelta(days=1):%Y-%m}",
        "this year": f"{today.year}",
        "two days ago": f"{today - timedelta(days=2)}",
    }


def is_right(question: Question, ids: list[str], models: Sequence[Model]) -> bool:
    if set(question.get("not", ())) & set(ids):
        return False
    if question.get("nothing"):
        return not ids
    if means := question.get("means"):
        return is_meant(means, ids, models)
    first = question["first"]
    return set(ids[: len(first)]) == set(first)


def is_meant(means: Question, ids: list[str], models: Sequence[Model]) -> bool:
    """Told by the plainest reading of the catalog, which knows nothing of how search reads it."""
    named = [one.removeprefix("model:") for one in ids if one.startswith("model:")]
    fitting = [model for model in models if all(FITS[key](model, means[key]) for key in means)]
    if not ids or not ids[0].startswith("model:"):
        return False
    if "best" not in means:
        return set(named) <= {model.id for model in fitting}
    measure = MEASURES[means["best"]]
    measured = [
        (value, model.id)
        for model in fitting
        if (value := measure(model)) is not None and model.details.get("status") != "deprecated"
    ]
    is_least = means["best"].startswith(("cheapest", "oldest"))
    best = (min if is_least else max)(value for value, _ in measured)
    return named[0] in {model_id for value, model_id in measured if value == best}


def rates(model: Model) -> tuple[Decimal | None, Decimal | None]:
    if model.tier == "free":
        return Decimal(0), Decimal(0)
    return (model.price.rates.input, model.price.rates.output) if model.price else (None, None)


def is_at_most(value: Decimal | None, bound: float) -> bool:
    return value is not None and value <= Decimal(str(bound))


def usual_price(model: Model) -> Decimal | None:
    """Three tokens in for one out."""
    known = rates(model)
    return None if known[0] is None or known[1] is None else (3 * known[0] + known[1]) / 4


FITS: dict[str, Callable[[Model, Any], bool]] = {
    "best": lambda model, _: "text" in model.output_modalities,
    "free": lambda model, _: model.tier == "free",
    "paid": lambda model, _: model.tier == "paid",
    "tools": lambda model, _: model.has_tools is True,
    "vision": lambda model, _: "image" in model.input_modalities,
    "audio": lambda model, _: "audio" in model.input_modalities,
    "reasoning": lambda model, _: model.has_reasoning is True,
    "structured": lambda model, _: model.has_structured_output is True,
    "provider": lambda model, name: f"/{model.id}".find(f"/{name}/") >= 0,
    "family": lambda model, name: name in model.name.lower(),
    "min_context": lambda model, least: (model.context_tokens or 0) >= least,
    "max_usd": lambda model, most: all(is_at_most(one, most) for one in rates(model)),
    "max_input_usd": lambda model, most: is_at_most(rates(model)[0], most),
    "max_output_usd": lambda model, most: is_at_most(rates(model)[1], most),
}
MEASURES: dict[str, Callable[[Model], Any]] = {
    "cheapest": usual_price,
    "dearest": usual_price,
    "cheapest input": lambda model: rates(model)[0],
    "cheapest output": lambda model: rates(model)[1],
    "newest": lambda model: model.released,
    "oldest": lambda model: model.released,
    "largest context": lambda model: model.context_tokens,
    "largest output": lambda model: model.max_output_tokens,
}

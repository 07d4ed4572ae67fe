"""What is to come, what is odd and what was saved: `/v1/usage/forecast`, `unusual`, `savings`."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.clock import Clock, rfc3339
from gateway.endpoints.authentication import reader
from gateway.endpoints.openai_problems import answering_as_openai
from gateway.errors import InvalidRequest
from gateway.llm.alternative import saved
from gateway.llm.catalog.catalog import Catalog
from gateway.usage import forecast_words, savings_words, unusual_words
from gateway.usage.forecast import Forecast
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState
from gateway.usage.pace import Pace
from gateway.usage.savings import NOTES, Alternative, Comparison, Savings, savings
from gateway.usage.span import Span, span
from gateway.usage.unusual import Unusual

_UNUSUAL_WINDOW, _SAVINGS_WINDOW = "7d", "month"
_MICRO = 1_000_000


def cost_monitor_routes(
    ledger: Ledger,
    catalog: Catalog | None,
    *,
    is_open: Callable[[Caller, LimitState], bool],
    clock: Clock,
) -> list[BaseRoute]:
    """Owners see everybody's; any other caller its own, and the limits that are open to it."""

    async def forecasts(request: Request) -> Response:
        who = reader(request.state.caller)
        _takes(request)
        found = [one for one in await ledger.forecasts() if is_open(who, one.state)]
        return _answer({"object": "list", "data": [_forecast(one) for one in found]})

    async def odd(request: Request) -> Response:
        who = reader(request.state.caller)
        asked = _window(request, clock, default=_UNUSUAL_WINDOW)
        flags = await ledger.unusual(asked.start, asked.end, caller=_whose(who))
        return _answer({**_about("unusual", asked), "data": [_unusual(flag) for flag in flags]})

    async def spared(request: Request) -> Response:
        who = reader(request.state.caller)
        asked = _window(request, clock, "alternative", default=_SAVINGS_WINDOW)
        other = request.query_params.get("alternative")
        figures = await _saved(ledger, catalog, asked, alternative=other, caller=_whose(who))
        return _answer({**_about("savings", asked), **_savings(figures)})

    return [
        Route("/v1/usage/forecast", answering_as_openai(forecasts)),
        Route("/v1/usage/unusual", answering_as_openai(odd)),
        Route("/v1/usage/savings", answering_as_openai(spared)),
    ]


async def _saved(
    ledger: Ledger,
    catalog: Catalog | None,
    asked: Span,
    *,
    alternative: str | None,
    caller: str | None,
) -> Savings:
    if catalog is not None:
        return await saved(
            ledger, catalog, asked.start, asked.end, alternative=alternative, caller=caller
        )
    if alternative:
        raise InvalidRequest("there is no catalog with prices of an alternative")
    return savings(await ledger.workloads(asked.start, asked.end, caller=caller))


def _whose(who: Caller) -> str | None:
    return None if who.is_owner else who.name


def _takes(request: Request, *names: str) -> None:
    if unknown := request.query_params.keys() - set(names):
        takes = f"there are {', '.join(names)}" if names else "it takes none"
        raise InvalidRequest(f"there is no parameter {min(unknown)[:40]!r}; {takes}")


def _window(request: Request, clock: Clock, *names: str, default: str) -> Span:
    _takes(request, "window", *names)
    return span(request.query_params.get("window") or default, clock())


def _about(kind: str, asked: Span) -> dict[str, Any]:
    return {"object": kind, "from": rfc3339(asked.start), "to": rfc3339(asked.end)}


def _forecast(one: Forecast) -> dict[str, Any]:
    limit, current, left = one.state.limit, one.pace, one.left
    moments = {
        "ends_at": one.ends_at,
        "ends_at_the_earliest": one.earliest,
        "ends_at_the_latest": one.latest,
    }
    return {
        "name": limit.name,
        "kind": limit.kind,
        "unit": limit.unit,
        "key": one.state.key,
        "window": str(limit.window),
        "limit": limit.most,
        "used": one.state.used,
        "remaining": one.state.remaining,
        "is_known": one.is_known,
        **{name: moment and rfc3339(moment) for name, moment in moments.items()},
        "until": rfc3339(one.until),
        "left_then": {"least": left.least, "likely": left.likely, "most": left.most}
        if left
        else None,
        "a_day": round(one.a_day, 2) if one.is_known else None,
        "a_day_by_others": round(one.others, 2),
        "differs_in_a_day": round(current.spread, 2) if isinstance(current, Pace) else None,
        "seen": {"calls": current.calls, "days": round(current.days, 2)},
        "says": forecast_words.sentence(one),
    }


def _unusual(flag: Unusual) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "what": flag.what.replace(" ", "_"),
        "of": flag.dimension,
        "name": flag.name,
        "since": flag.first.isoformat(),
        "until": flag.last.isoformat(),
        "is_so_far": flag.is_so_far,
        "calls": flag.calls,
        "mostly": list(flag.mostly),
        "says": unusual_words.sentence(flag),
    }
    if flag.what in ("spend", "new model"):
        numbers = {"usd": flag.value, "usual_usd": flag.usual, "bound_usd": flag.bound}
        return shown | {name: round(value / _MICRO, 6) for name, value in numbers.items()}
    return shown | {
        "value": flag.value,
        "usual": round(flag.usual, 4),
        "bound": round(flag.bound, 4),
    }


def _savings(figures: Savings) -> dict[str, Any]:
    compared, model = figures.elsewhere, figures.alternative
    told = (
        savings_words.by_list(figures),
        savings_words.elsewhere(figures),
        savings_words.failed(figures),
    )
    return {
        "by_list": _comparison(figures.by_list),
        "alternative": _alternative(model) if model else None,
        "against_alternative": _comparison(compared) if compared else None,
        "failed": {"calls": figures.failed_calls, "usd": figures.failed_microusd / _MICRO},
        "says": " ".join(filter(None, told)),
        "notes": list(NOTES),
    }


def _comparison(compared: Comparison) -> dict[str, Any]:
    """What was saved is null where it would have been cheaper; then that is the `extra`."""
    saved_usd = compared.saved_microusd / _MICRO
    return {
        "calls": compared.calls,
        "paid_usd": compared.paid_microusd / _MICRO,
        "worth_usd": compared.worth_microusd / _MICRO,
        "saved_usd": saved_usd if saved_usd >= 0 else None,
        "extra_usd": -saved_usd if saved_usd < 0 else None,
        "left_out": dict(compared.left_out),
    }


def _alternative(model: Alternative) -> dict[str, str]:
    return {
        "model": model.model,
        "why": model.why,
        "prices_from": model.source,
        "prices_as_of": model.as_of.isoformat(),
    }


def _answer(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={"cache-control": "no-store"})

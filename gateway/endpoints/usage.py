"""What was used and what is left: `/v1/usage`, also of tools, `/v1/quota` and `/v1/limits`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.caller import Caller
from gateway.clock import Clock, now, rfc3339
from gateway.endpoints.authentication import reader
from gateway.endpoints.cost_monitor import cost_monitor_routes
from gateway.endpoints.openai_problems import answering_as_openai
from gateway.endpoints.strict_reading import moment_of
from gateway.errors import InvalidRequest
from gateway.llm.catalog.catalog import Catalog
from gateway.usage.ledger import Ledger
from gateway.usage.limit import LimitState
from gateway.usage.report import COLUMNS, SPANS, Column, Grouping, UsageLine
from gateway.usage.tool_calls import ToolLine

_MICROUSD = "_microusd"
_AVERAGES = ("first_token_ms", "total_ms")
_OWN_PARAMETERS = ("from", "to", "group_by")


def usage_routes(
    ledger: Ledger, catalog: Catalog | None = None, *, clock: Clock = now
) -> list[BaseRoute]:
    """Owners see everybody's; any other caller sees its own.

    Without a catalog, savings are told against no other model.
    """

    async def used(request: Request) -> Response:
        who = reader(request.state.caller)
        where = _where(request, who)
        group_by = _group_by(request)
        start, end = _span(request, clock())
        lines = await ledger.report(start, end, group_by=group_by, where=where)
        return _answer(
            {
                "object": "usage",
                "from": rfc3339(start),
                "to": rfc3339(end),
                "group_by": list(group_by),
                "lines": [{**line.group, **_sums(line), **_averages(line)} for line in lines],
                "total": _sums(_total(lines)),
            }
        )

    async def tools(request: Request) -> Response:
        who = reader(request.state.caller)
        if unknown := request.query_params.keys() - {"from", "to"}:
            raise InvalidRequest(f"there is no parameter {min(unknown)[:40]!r}; there are from, to")
        start, end = _span(request, clock())
        lines = await ledger.tool_report(start, end, caller=None if who.is_owner else who.name)
        listed = [_of_tool(one) for one in lines]
        return _answer(
            {"object": "tool_usage", "from": rfc3339(start), "to": rfc3339(end), "lines": listed}
        )

    async def quota(request: Request) -> Response:
        states = await _states(request)
        return _listed([state for state in states if not state.limit.is_budget])

    async def limits(request: Request) -> Response:
        return _listed(await _states(request))

    async def _states(request: Request) -> list[LimitState]:
        who = reader(request.state.caller)
        return [state for state in await ledger.states() if _is_open_to(who, state)]

    return [
        Route("/v1/usage", answering_as_openai(used)),
        Route("/v1/usage/tools", answering_as_openai(tools)),
        Route("/v1/quota", answering_as_openai(quota)),
        Route("/v1/limits", answering_as_openai(limits)),
        *cost_monitor_routes(ledger, catalog, is_open=_is_open_to, clock=clock),
    ]


def _of_tool(line: ToolLine) -> dict[str, Any]:
    return {
        "tool": line.tool,
        "server": line.origin,
        "calls": line.calls,
        "failed": line.failed,
        "average_ms": round(line.milliseconds, 1),
    }


def _span(request: Request, moment: datetime) -> tuple[datetime, datetime]:
    """What `from` and `to` say; without them, from the first of the month until now."""
    parameters = request.query_params
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    # A moment later, so that what was settled just now is counted.
    end = moment + timedelta(microseconds=1)
    if "from" in parameters:
        start = moment_of("from", parameters["from"])
    if "to" in parameters:
        end = moment_of("to", parameters["to"], is_end=True)
    if start >= end:
        raise InvalidRequest(f"from {rfc3339(start)} is not before to {rfc3339(end)}")
    return start, end


def _group_by(request: Request) -> list[Grouping]:
    asked = ",".join(request.query_params.getlist("group_by"))
    names = [name.strip() for name in asked.split(",") if name.strip()]
    for name in names:
        if name not in (*SPANS, *COLUMNS):
            takes = ", ".join((*SPANS, *COLUMNS))
            raise InvalidRequest(f"group_by has {name[:40]!r}; it takes {takes}")
    return cast(list[Grouping], list(dict.fromkeys(names)))


def _where(request: Request, who: Caller) -> Mapping[Column, str]:
    """Any column may be a filter; for all but owners, the caller is one."""
    where: dict[str, str] = {}
    for name, value in request.query_params.items():
        if name in _OWN_PARAMETERS:
            continue
        if name not in COLUMNS:
            takes = ", ".join((*_OWN_PARAMETERS, *COLUMNS))
            raise InvalidRequest(f"there is no parameter {name[:40]!r}; there are {takes}")
        where[name] = value
    if not who.is_owner:
        where["caller"] = who.name
    return cast(Mapping[Column, str], where)


def _total(lines: Sequence[UsageLine]) -> UsageLine:
    """The sum of the lines themselves, so that it never disagrees with them."""
    sums: dict[str, Any] = {}
    for field in fields(UsageLine):
        if field.name not in ("group", *_AVERAGES):
            known = [getattr(line, field.name) for line in lines]
            sums[field.name] = _sum(known) if field.name.endswith(_MICROUSD) else sum(known)
    return UsageLine(**sums)


def _sum(amounts: Sequence[int | None]) -> int | None:
    """Of what is known; nothing used costs nothing."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known or not amounts else None


def _sums(line: UsageLine) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in fields(line):
        value = getattr(line, field.name)
        if field.name.endswith(_MICROUSD):
            shown[field.name.removesuffix(_MICROUSD) + "_usd"] = _usd(value)
        elif field.name not in ("group", *_AVERAGES):
            shown[field.name] = value
    return shown


def _averages(line: UsageLine) -> dict[str, float | None]:
    values = {name: getattr(line, name) for name in _AVERAGES}
    return {
        f"average_{name}": None if value is None else round(value, 1)
        for name, value in values.items()
    }


def _is_open_to(who: Caller, state: LimitState) -> bool:
    """Everybody may see what binds it, but of the common purse only an owner sees the bottom."""
    limit = state.limit
    if who.is_owner:
        return True
    if "caller" in limit.per:
        shares = [unquote(part) for part in state.key.split("&")]
        return f"caller={who.name}" in shares
    pattern = limit.where.get("caller")
    return fnmatchcase(who.name, pattern) if pattern else not limit.is_budget


def _listed(states: Sequence[LimitState]) -> Response:
    return _answer({"object": "list", "data": [_state(state) for state in states]})


def _state(state: LimitState) -> dict[str, Any]:
    limit = state.limit
    shown: dict[str, Any] = {
        "name": limit.name,
        "kind": limit.kind,
        "unit": limit.unit,
        "key": state.key,
        "limit": limit.most,
        "used": state.used,
        "remaining": state.remaining,
        "percent": round(state.percent, 2),
        "settled": state.settled,
        "reserved": state.reserved,
        "used_by_others": state.others,
        "window": str(limit.window),
        "resets_at": rfc3339(state.resets_at),
        "where": dict(limit.where),
        "per": list(limit.per),
        "is_hard": limit.is_hard,
    }
    if limit.is_budget:
        dollars = ("limit", "used", "remaining")
        shown |= {f"{name}_usd": _usd(shown[name]) for name in dollars}
        shown["calls_with_unknown_cost"] = state.unknown_costs
    if state.reported is not None and state.reported_at is not None:
        shown["reported_by_provider"] = state.reported
        shown["reported_at"] = rfc3339(state.reported_at)
    return shown


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000


def _answer(content: Mapping[str, Any]) -> Response:
    return JSONResponse(content, headers={"cache-control": "no-store"})

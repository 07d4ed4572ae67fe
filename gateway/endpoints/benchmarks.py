"""`/v1/benchmarks`: start benchmarks of models, follow them, read them, and take them along."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.benchmarks.asked import MOST_OUTPUT_TOKENS, read_task
from gateway.benchmarks.bounds import MOST_BUDGET_USD
from gateway.benchmarks.case import Case
from gateway.benchmarks.choosing import chosen
from gateway.benchmarks.export import (
    counts_to_json,
    result_to_json,
    run_to_json,
    to_csv,
    to_json,
    usd,
)
from gateway.benchmarks.record import Progress, Run, Settings, Summary
from gateway.benchmarks.runner import Benchmarks
from gateway.benchmarks.suite import shipped_suite
from gateway.caller import Caller
from gateway.endpoints.authentication import SpendersOnly, reader, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.connected import CLIENT_LEFT, WhileConnected
from gateway.endpoints.live_answer import LiveAnswer
from gateway.endpoints.live_stream import KEEPALIVE_SECONDS, LiveStream
from gateway.endpoints.openai_problems import (
    answering_as_openai,
    error_fields,
    openai_refusal,
    refused_body,
)
from gateway.endpoints.strict_reading import read_one
from gateway.endpoints.validated import StrictBody
from gateway.errors import GatewayError, InvalidRequest, PermissionDenied

LIMIT_BYTES = 1024 * 1024
USUAL_MODELS = 3
MOST_MODELS = 50
MOST_CASES = 100
MOST_LISTED = 50
FORMATS = ("csv", "json")
# The key that may benchmark with the tools may do so here.
TOOL = "benchmark_tasks"
_QUIET = {"cache-control": "private, no-store"}


class CaseBody(StrictBody):
    """A task of the caller's own, as the tool `benchmark_task` takes it."""

    task_id: str
    task: str
    context_length: int = Field(0, ge=0)
    expected_output_length: int | None = Field(None, ge=1, le=MOST_OUTPUT_TOKENS)
    complexity: str | float | None = None
    check: Any = None


class BenchmarkBody(StrictBody):
    """What to run; or with `resume` which run is to go on, perhaps with another budget.

    Without models the free ones are asked, at most `max_models`. Without cases of the caller's
    own, those of the shipped suite are.
    """

    resume: str | None = None
    name: str = Field("over HTTP", min_length=1, max_length=100)
    models: tuple[str, ...] = Field((), max_length=MOST_MODELS)
    max_models: int = Field(USUAL_MODELS, ge=1, le=MOST_MODELS)
    cases: tuple[CaseBody, ...] = Field((), max_length=MOST_CASES)
    tasks: tuple[str, ...] = ()
    max_cases: int | None = Field(None, ge=1)
    runs: int = Field(1, ge=1)
    parallel: int = Field(2, ge=1)
    budget_usd: float | None = Field(None, ge=0, le=MOST_BUDGET_USD, allow_inf_nan=False)
    judge: str | None = None


def benchmark_routes(
    benchmarks: Benchmarks, *, keepalive_seconds: float = KEEPALIVE_SECONDS
) -> list[BaseRoute]:
    """Owners see everybody's; any other caller sees its own, and what they cost.

    A client that leaves ends its run, which can go on later.
    """

    async def listed(request: Request) -> Response:
        who = reader(request.state.caller)
        summaries = await benchmarks.summaries(who, MOST_LISTED)
        rows = await asyncio.to_thread(_rows, summaries)
        return JSONResponse({"object": "list", "data": rows}, headers=_QUIET)

    async def one(request: Request) -> Response:
        who = reader(request.state.caller)
        report = await benchmarks.report(who, request.path_params["id"])
        return JSONResponse(await asyncio.to_thread(to_json, report), headers=_QUIET)

    async def export(request: Request) -> Response:
        who = reader(request.state.caller)
        wanted = request.query_params.get("format", "json")
        if wanted not in FORMATS:
            raise InvalidRequest(f"format is {wanted[:40]!r}; it takes {' or '.join(FORMATS)}")
        report = await benchmarks.report(who, request.path_params["id"])
        name = f"benchmark-{report.run.id}.{wanted}"
        headers = {**_QUIET, "content-disposition": f'attachment; filename="{name}"'}
        if wanted == "csv":
            text = await asyncio.to_thread(to_csv, report)
            return PlainTextResponse(text, media_type="text/csv", headers=headers)
        return JSONResponse(await asyncio.to_thread(to_json, report), headers=headers)

    async def start(request: Request) -> Response:
        who = _allowed(spender(request.state.caller))
        run = await _run(benchmarks, who, read_one(BenchmarkBody, await request.body()))
        if "text/event-stream" in request.headers.get("accept", ""):
            return LiveAnswer(
                partial(_write, benchmarks, who, run),
                refuse=openai_refusal,
                keepalive_seconds=keepalive_seconds,
            )
        async with WhileConnected(request.receive):
            report = await benchmarks.carry_out(who, run)
            return JSONResponse(await asyncio.to_thread(to_json, report), headers=_QUIET)
        return CLIENT_LEFT

    return [
        Route("/v1/benchmarks", answering_as_openai(listed), methods=["GET"]),
        Route(
            "/v1/benchmarks",
            answering_as_openai(start),
            methods=["POST"],
            middleware=[
                Middleware(SpendersOnly, refuse=openai_refusal),
                Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
            ],
        ),
        Route("/v1/benchmarks/{id}", answering_as_openai(one)),
        Route("/v1/benchmarks/{id}/export", answering_as_openai(export)),
    ]


def _allowed(who: Caller) -> Caller:
    """Raises:
    PermissionDenied: its key is not for benchmarks.
    """
    if not who.may_use_tool(TOOL):
        raise PermissionDenied(f"the key of {who.name!r} may not use {TOOL}")
    return who


def _rows(summaries: Sequence[Summary]) -> list[Mapping[str, Any]]:
    return [{**run_to_json(one.run), **counts_to_json(one)} for one in summaries]


async def _run(benchmarks: Benchmarks, who: Caller, asked: BenchmarkBody) -> Run:
    budget = None if asked.budget_usd is None else int(asked.budget_usd * 1_000_000)
    if asked.resume is not None:
        return await benchmarks.resume(who, asked.resume, budget_microusd=budget)
    models = benchmarks.models(who, asked.models) or benchmarks.free_models(who, asked.max_models)
    judge = None if asked.judge is None else benchmarks.models(who, [asked.judge])[0]
    every = await _own_cases(benchmarks, who, asked.cases) if asked.cases else shipped_suite()
    cases = chosen(every, tasks=asked.tasks, has_judge=judge is not None, most=asked.max_cases)
    settings = Settings(cases, tuple(models), asked.runs, asked.parallel, budget, judge)
    return await benchmarks.begin(who, settings, asked.name)


async def _own_cases(
    benchmarks: Benchmarks, who: Caller, bodies: Sequence[CaseBody]
) -> Sequence[Case]:
    cases = []
    for body in bodies:
        task = read_task(body.model_dump(exclude_none=True), may_run_code=who.is_owner)
        cases.append(benchmarks.understood(task).case)
        # Others wait no longer than one of them takes.
        await asyncio.sleep(0)
    return cases


@dataclass(frozen=True, slots=True)
class _Progressing:
    stream: LiveStream

    async def __call__(self, progress: Progress) -> None:
        last = progress.last
        told = {
            "id": progress.run_id,
            "done": progress.done,
            "calls": progress.total,
            "failed": progress.failed,
            "spent_usd": usd(progress.spent_microusd),
            "result": None if last is None else result_to_json(last),
        }
        await self.stream.write(_event("progress", told))


async def _write(benchmarks: Benchmarks, who: Caller, run: Run, stream: LiveStream) -> None:
    """Events `progress`, one for each result, and at the end one `benchmark` or `error`."""
    async with stream.open({}), stream.telling(_error_events):
        report = await benchmarks.carry_out(who, run, _Progressing(stream))
        await stream.write(_event("benchmark", await asyncio.to_thread(to_json, report)))


def _error_events(error: GatewayError) -> Iterator[bytes]:
    yield _event("error", {"error": error_fields(error)})


def _event(name: str, told: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()

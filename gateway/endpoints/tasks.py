"""`/v1/tasks`: read the task list, add to it, and say how far a task is."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import idempotency
from gateway.caller import Caller
from gateway.clock import rfc3339
from gateway.endpoints.authentication import SpendersOnly, reader, spender
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.strict_reading import Query, path_id, read_one
from gateway.endpoints.validated import StrictBody
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.tasks.store import OnCreated, Tasks
from gateway.tasks.task import (
    STATUSES,
    TASK_TOOLS,
    Change,
    Filter,
    Task,
    commit_of,
    drafted,
    is_told,
)

LIMIT_BYTES = 64 * 1024
MOST_KEY = 200
# The key that may use a tool may do the same here.
CREATE, LIST, UPDATE = TASK_TOOLS
_FILTERS = ("status", "created_by", "assignee", "label", "commit", "limit")
_QUIET = {"cache-control": "private, no-store"}


class NewTask(StrictBody):
    """As the tool `create_task` takes it."""

    title: str
    description: str = ""
    priority: str = "medium"
    assignee: str | None = None
    labels: tuple[str, ...] = Field((), strict=False)
    repository: str | None = None
    commit: str | None = None


class NewStatus(StrictBody):
    """As the tool `update_task_status` takes it."""

    status: str
    note: str = ""


def task_routes(
    tasks: Tasks, *, url: Callable[[str], str], on_created: OnCreated | None = None
) -> list[BaseRoute]:
    """One list for all callers with a key; what a key may do here says its `tools`.

    Of several requests of one caller with the same `Idempotency-Key`, the first counts.
    """

    async def listed(request: Request) -> Response:
        _allowed(reader(request.state.caller), LIST)
        wanted, limit = _read_query(request.query_params)
        listing = await tasks.listed(wanted, limit=limit)
        data = [one.as_json(url(one.id), is_listed=True) for one in listing.tasks]
        return _json({"object": "list", "data": data, "total": listing.total})

    async def one(request: Request) -> Response:
        _allowed(reader(request.state.caller), LIST)
        return _json(_whole(await tasks.task(path_id(request)), url))

    async def create(request: Request) -> Response:
        who = _allowed(spender(request.state.caller), CREATE)
        body = read_one(NewTask, await request.body())
        created = await tasks.create(
            drafted(**body.model_dump()),
            by=who.name,
            key=_key(request, who),
            on_created=on_created if is_told(who) else None,
        )
        answer = {"task": _whole(created.task, url), "is_new": created.is_new}
        return _json(answer, status=201 if created.is_new else 200)

    async def change(request: Request) -> Response:
        who = _allowed(spender(request.state.caller), UPDATE)
        body = read_one(NewStatus, await request.body())
        moved = await tasks.move(
            path_id(request),
            body.status,
            by=who.name,
            note=body.note,
            key=_key(request, who),
        )
        return _json({"task": _whole(moved.task, url), "status_before": moved.before})

    writing = [
        Middleware(SpendersOnly, refuse=openai_refusal),
        Middleware(BodyLimit, limit_bytes=LIMIT_BYTES, refuse=refused_body),
    ]
    path = "/v1/tasks"
    return [
        Route(path, answering_as_openai(listed), methods=["GET"]),
        Route(path, answering_as_openai(create), methods=["POST"], middleware=writing),
        Route(f"{path}/{{id}}", answering_as_openai(one), methods=["GET"]),
        Route(f"{path}/{{id}}", answering_as_openai(change), methods=["PATCH"], middleware=writing),
    ]


def _allowed(who: Caller, tool: str) -> Caller:
    """Raises:
    PermissionDenied: its key is not for that.
    """
    if not (who.is_owner or who.may_use_tool(tool)):
        raise PermissionDenied(f"the key of {who.name!r} may not use {tool}")
    return who


def _read_query(given: QueryParams) -> tuple[Filter, int]:
    query = Query(given, *_FILTERS)
    status, commit = query.one_of("status", STATUSES), query.text("commit")
    wanted = Filter(
        statuses=(status,) if status else (),
        created_by=query.text("created_by"),
        assignee=query.text("assignee"),
        label=query.text("label"),
        commit=commit_of(commit) if commit else None,
    )
    return wanted, query.limit()


def _key(request: Request, who: Caller) -> str | None:
    """Callers cannot know each other's keys, nor those of the gateway's own calls."""
    given = request.headers.get(idempotency.HEADER)
    if given is None:
        return None
    if not 0 < len(given) <= MOST_KEY:
        raise InvalidRequest(
            f"{idempotency.HEADER} has {len(given):,} characters; it takes 1 to {MOST_KEY}"
        )
    return f"http:{who.name}:{given}"


def _whole(task: Task, url: Callable[[str], str]) -> Mapping[str, Any]:
    return {**task.as_json(url(task.id)), "changes": [_change(one) for one in task.changes]}


def _change(change: Change) -> Mapping[str, Any]:
    return {
        "time": rfc3339(change.time),
        "by": change.by,
        "before": change.before,
        "after": change.after,
        "note": change.note,
    }


def _json(content: Mapping[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_QUIET)

"""`gateway tasks`: read the task list, add to it, and say what is done."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gateway.caller import LOCAL
from gateway.terminal.printable import one_line, printable

if TYPE_CHECKING:
    from gateway.tasks.store import Tasks
    from gateway.tasks.task import Listing, Task

    Urls = Callable[[str], str]

MOST_LISTED = 500
USUAL_LISTED = 50

tasks = typer.Typer(help="The task list: what people and agents want done.", no_args_is_help=True)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings, such as gateway.yaml; or name it in GATEWAY_CONFIG."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TaskId = Annotated[str, typer.Argument(help="Such as task_1a2b3c4d.")]
Result = TypeVar("Result")


class StatusOption(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"


class PriorityOption(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@tasks.command("list")
def listed(
    status: Annotated[
        StatusOption | None, typer.Option(help="Only those; else all that are unfinished.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The finished ones too.")] = False,
    created_by: Annotated[
        str | None, typer.Option(help="Such as agent:review, or 'agent:*' for all agents.")
    ] = None,
    assignee: Annotated[str | None, typer.Option(help="Who is to do it.")] = None,
    label: Annotated[str | None, typer.Option(help="Such as security.")] = None,
    commit: Annotated[str | None, typer.Option(help="A commit's hash, or its beginning.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED)] = USUAL_LISTED,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, the latest first.

    Example: gateway tasks list --created-by 'agent:*'
    """
    from gateway.tasks.task import STATUSES, UNFINISHED, Filter, commit_of

    usual = STATUSES if every else UNFINISHED
    wanted = Filter(
        statuses=usual if status is None else [one for one in STATUSES if one == status],
        created_by=created_by,
        assignee=assignee,
        label=label,
        commit=commit_of(commit) if commit else None,
    )
    listing, url = _worked(config, lambda store: store.listed(wanted, limit=limit))
    if as_json:
        _print_json([one.as_json(url(one.id)) for one in listing.tasks])
        return
    _show(listing)


@tasks.command("show")
def show(task_id: TaskId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the whole of a task.

    Example: gateway tasks show task_1a2b3c4d
    """
    task, url = _worked(config, lambda store: store.task(task_id))
    if as_json:
        _print_json(task.as_json(url(task.id)))
        return
    for line in _lines(task):
        typer.echo(line)


@tasks.command("add")
def add(
    title: Annotated[str, typer.Argument(help="What is to be done, in a few words.")],
    description: Annotated[str, typer.Option(help="The whole of it.")] = "",
    priority: Annotated[PriorityOption, typer.Option(help="How urgent it is.")] = (
        PriorityOption.MEDIUM
    ),
    assignee: Annotated[str | None, typer.Option(help="Who is to do it.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A word to find it by.")] = None,
    repository: Annotated[str | None, typer.Option(help="Its name or URL.")] = None,
    commit: Annotated[str | None, typer.Option(help="The commit that it is about.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a task. Agents of a gateway that runs hear only of those that are created through it.

    Example: gateway tasks add "Rotate the payment key" --priority high --label security
    """
    from gateway.tasks.task import drafted

    draft = drafted(
        title,
        description,
        priority=priority.value,
        assignee=assignee,
        labels=label or (),
        repository=repository,
        commit=commit,
    )
    created, url = _worked(config, lambda store: store.create(draft, by=LOCAL.name))
    task = created.task
    if as_json:
        _print_json(task.as_json(url(task.id)))
        return
    typer.echo(task.id)


@tasks.command("done")
def done(
    task_id: TaskId,
    note: Annotated[str, typer.Option(help="What was done.")] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that a task is done.

    Example: gateway tasks done task_1a2b3c4d --note "rotated"
    """
    moved, url = _worked(
        config, lambda store: store.move(task_id, "done", by=LOCAL.name, note=note)
    )
    if as_json:
        _print_json({**moved.task.as_json(url(moved.task.id)), "status_before": moved.before})
        return
    typer.echo(f"{moved.task.id} is done; it was {_spoken(moved.before)}")


def _worked(
    config: Path | None, work: Callable[["Tasks"], Awaitable[Result]]
) -> tuple[Result, "Urls"]:
    """What the work comes to, with what gives the address of a task's document."""

    async def run() -> tuple[Result, "Urls"]:
        async with _opened(config) as (store, urls):
            return await work(store), urls

    return asyncio.run(run())


@asynccontextmanager
async def _opened(config: Path | None) -> AsyncIterator[tuple["Tasks", "Urls"]]:
    """The list alone: no provider is asked, and no service started."""
    from gateway.app.task_urls import task_urls
    from gateway.config.settings import load
    from gateway.storage.database import Database
    from gateway.tasks.store import Tasks

    settings = load(config)
    async with Database(settings.database) as database:
        yield Tasks(database, elsewhere=settings.task_server), task_urls(settings.url)


def _show(listing: "Listing") -> None:
    from rich.table import Table
    from rich.text import Text

    from gateway.clock import rfc3339
    from gateway.terminal.benchmark_run import Screens

    screens = Screens.usual()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Task", "Status", "Priority", "Title", "Created by", "Created", "Commit"):
        table.add_column(name, overflow="fold")
    for one in listing.tasks:
        created, commit = rfc3339(one.created), (one.commit or "")[:12]
        cells = (one.id, _spoken(one.status), one.priority, one.title, one.created_by, created)
        table.add_row(*(Text(one_line(cell)) for cell in (*cells, commit)))
    if listing.tasks:
        screens.out.print(table)
    if listing.total > len(listing.tasks):
        screens.tell(f"the latest {len(listing.tasks)} of {listing.total:,}; more with --limit")
    if not listing.tasks:
        screens.tell("no such task")


def _lines(task: "Task") -> Iterator[str]:
    from gateway.clock import rfc3339

    yield f"{one_line(task.title)} ({_spoken(task.status)}, {task.priority})"
    yield f"  {task.id}, created {rfc3339(task.created)} by {one_line(task.created_by)}"
    facts = {
        "run": task.run_id,
        "assignee": task.assignee,
        "labels": ", ".join(task.labels),
        "repository": task.repository,
        "commit": task.commit,
    }
    for name, value in facts.items():
        if value:
            yield f"  {name}: {one_line(value)}"
    if task.description:
        yield f"\n{printable(task.description)}\n"
    for one in task.changes:
        moved = f"{_spoken(one.before)} to {_spoken(one.after)}, by {one_line(one.by)}"
        note = f": {one_line(one.note)}" if one.note else ""
        yield f"  {rfc3339(one.time)} {moved}{note}"


def _spoken(status: str) -> str:
    return status.replace("_", " ")


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))

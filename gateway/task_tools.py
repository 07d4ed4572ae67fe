"""The task list as tools: create a task, list tasks, and say how far one is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway import caller, idempotency, request_id
from gateway.caller import AGENT_PREFIX, Caller
from gateway.llm.tool_answers import record
from gateway.llm.tool_frame import arguments_schema
from gateway.tasks.store import OnCreated, Tasks
from gateway.tasks.task import (
    MOST_DESCRIPTION,
    MOST_LABELS,
    MOST_NAME,
    MOST_NOTE,
    MOST_REPOSITORY,
    MOST_TITLE,
    PRIORITIES,
    STATUSES,
    Filter,
    commit_of,
    drafted,
    is_told,
)
from gateway.tools.tool import Answer, Arguments, Effect, Tool

MOST_LISTED = 50
USUAL_LISTED = 20
_TEXT: Mapping[str, Any] = {"type": "string"}
_MAYBE: Mapping[str, Any] = {"type": ["string", "null"]}
_STATUS: Mapping[str, Any] = {"type": "string", "enum": list(STATUSES)}
_PRIORITY: Mapping[str, Any] = {"type": "string", "enum": list(PRIORITIES)}
_TASK = record(
    {
        "id": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "status": _STATUS,
        "priority": _PRIORITY,
        "assignee": _MAYBE,
        "labels": {"type": "array", "items": _TEXT},
        "repository": _MAYBE,
        "commit": _MAYBE,
        "created_by": _TEXT,
        "run_id": _MAYBE,
        "created": _TEXT,
        "updated": _TEXT,
        "note": _TEXT,
        "url": _TEXT,
    }
)


class TaskTools:
    """One list for all callers with a key; where tasks live elsewhere, these tools are not there.

    `url` gives the address of a task's document. `on_created` hears of each new task.
    """

    def __init__(
        self, tasks: Tasks, *, url: Callable[[str], str], on_created: OnCreated | None = None
    ) -> None:
        self._tasks = tasks
        self._url = url
        self._on_created = on_created
        self._tools = (self._create_tool(), self._list_tool(), self._update_tool())

    async def tools(self) -> Sequence[Tool]:
        if self._tasks.elsewhere is not None or not caller.current().may_spend:
            return ()
        return self._tools

    async def create(self, arguments: Arguments) -> Answer:
        """Raises:
        InvalidRequest: names the argument that cannot be kept, and what would be right.
        GatewayError: as `Tasks.create` does.
        """
        who = caller.current()
        created = await self._tasks.create(
            drafted(**arguments),
            by=who.name,
            run_id=_run_id(who),
            key=idempotency.current(),
            on_created=self._on_created if is_told(who) else None,
        )
        task = created.task
        return Answer({"task": task.as_json(self._url(task.id)), "is_new": created.is_new})

    async def listed(self, arguments: Arguments) -> Answer:
        """Raises:
        InvalidRequest: what is given for a commit is none.
        """
        listing = await self._tasks.listed(
            read_filter(arguments), limit=int(arguments.get("limit", USUAL_LISTED))
        )
        return Answer(
            {
                "tasks": [one.as_json(self._url(one.id), is_listed=True) for one in listing.tasks],
                "total": listing.total,
            }
        )

    async def update(self, arguments: Arguments) -> Answer:
        """Raises:
        GatewayError: as `Tasks.move` does.
        """
        moved = await self._tasks.move(
            arguments["task_id"],
            arguments["status"],
            by=caller.current().name,
            note=arguments.get("note", ""),
            key=idempotency.current(),
        )
        task = moved.task
        return Answer({"task": task.as_json(self._url(task.id)), "status_before": moved.before})

    def _create_tool(self) -> Tool:
        return Tool(
            name="create_task",
            title="Create a task",
            description=(
                "Use this when something is to be done later, by a person or by an agent: it adds "
                "a task to the gateway's list, and answers with its ID and URL. Look with "
                "list_tasks first whether there is one already."
            ),
            input_schema=arguments_schema(
                {
                    "title": {
                        **_text("What is to be done, in a few words.", most=MOST_TITLE),
                        "minLength": 1,
                    },
                    "description": _text(
                        "The whole of it, in plain text: where, why, and when it is done.",
                        most=MOST_DESCRIPTION,
                    ),
                    "priority": {**_PRIORITY, "description": "How urgent it is; medium."},
                    "assignee": _text("Who is to do it.", most=MOST_NAME),
                    "labels": {
                        "type": "array",
                        "items": _TEXT,
                        "maxItems": MOST_LABELS,
                        "description": "Words to find it by, such as security.",
                    },
                    "repository": _text("Its name or URL.", most=MOST_REPOSITORY),
                    "commit": _text("The hash of the commit that it is about.", most=64),
                },
                required=("title",),
            ),
            output_schema=record({"task": _TASK, "is_new": {"type": "boolean"}}),
            call=self.create,
            effect=Effect.WRITE,
            takes_key=True,
        )

    def _list_tool(self) -> Tool:
        return Tool(
            name="list_tasks",
            title="List tasks",
            description=(
                "Use this when the user asks which tasks there are: those of the gateway's list, "
                "the latest first, by status, creator, assignee, label or commit. It tells how "
                "many there are in all. For a citation, use search and fetch instead."
            ),
            input_schema=arguments_schema(
                {
                    "status": {**_STATUS, "description": "Only those with this status."},
                    "created_by": _text(
                        "Only those that it created: agent:review, or agent:* for all agents.",
                        most=MOST_NAME,
                    ),
                    "assignee": _text("Only those that are to be done by it.", most=MOST_NAME),
                    "label": _text("Only those with this label.", most=MOST_NAME),
                    "commit": _text("Only those about this commit.", most=64),
                    "limit": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MOST_LISTED,
                        "description": f"At most how many; {USUAL_LISTED}.",
                    },
                }
            ),
            output_schema=record(
                {"tasks": {"type": "array", "items": _TASK}, "total": {"type": "integer"}}
            ),
            call=self.listed,
        )

    def _update_tool(self) -> Tool:
        return Tool(
            name="update_task_status",
            title="Update a task's status",
            description=(
                "Use this when work on a task has begun, is done, or will not be done. It says "
                "which status the task had before; the same status again is no error."
            ),
            input_schema=arguments_schema(
                {
                    "task_id": _text("Such as task_1a2b3c4d.", most=MOST_NAME),
                    "status": {**_STATUS, "description": "What it is from now on."},
                    "note": _text("Why, or what was done, in plain text.", most=MOST_NOTE),
                },
                required=("task_id", "status"),
            ),
            output_schema=record({"task": _TASK, "status_before": _STATUS}),
            call=self.update,
            effect=Effect.WRITE,
            takes_key=True,
        )


def read_filter(arguments: Arguments) -> Filter:
    """
    Raises:
        InvalidRequest: what is given for a commit is none.
    """
    status, commit = arguments.get("status"), arguments.get("commit")
    return Filter(
        statuses=(status,) if status else (),
        created_by=arguments.get("created_by"),
        assignee=arguments.get("assignee"),
        label=arguments.get("label"),
        commit=commit_of(commit) if commit else None,
    )


def _run_id(who: Caller) -> str | None:
    return request_id.current() if who.name.startswith(AGENT_PREFIX) else None


def _text(description: str, *, most: int) -> Mapping[str, Any]:
    return {"type": "string", "maxLength": most, "description": description}

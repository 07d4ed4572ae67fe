"""Documents about tasks: `task:{id}`, and `task:open` for all that are unfinished."""

from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime

from gateway.clock import Clock, now, rfc3339
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query, split
from gateway.errors import NotFound
from gateway.sources.models.rendering import plain, table
from gateway.sources.models.source import words_at
from gateway.sources.router_reader import TASKS_ELSEWHERE, RouterReader
from gateway.sources.task_question import TaskQuestion
from gateway.tasks.store import Tasks
from gateway.tasks.task import UNFINISHED, Change, Filter, Listing, Task
from gateway.text import displayable

OPEN = "open"
MOST_FOUND = 9
MOST_LISTED = 50
# Of those that a question asks for, so many of the latest are looked at for its other words.
_MOST_READ = 500
_SNIPPET = 120


class TaskSource:
    """`task:{id}`: what is to be done, who wants it, and what became of it."""

    pattern = IdPattern("task:{id}", {"id": str.lower})
    fresh_seconds = 1.0
    description = (
        "A task of the gateway's list: what is to be done, how urgent it is, who created it, for "
        "which commit, and what became of it; `task:open` lists all that are unfinished."
    )
    example = "task:open"
    told_by = "the task list"
    phrases = (
        "open tasks",
        "open tasks from agents",
        "tasks for commit abc1234",
        "tasks of the review agent",
        "what tasks were opened today",
    )
    is_private = True

    def __init__(self, tasks: Tasks, reader: RouterReader, *, clock: Clock = now) -> None:
        self._tasks = tasks
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        """What it offers of tasks it always looks up."""
        return TaskSource

    def entries(self, query: Query) -> Sequence[Entry] | Awaitable[Sequence[Entry]]:
        if "tasks" not in query.values("topic") or self._tasks.elsewhere is not None:
            return ()
        asked = TaskQuestion(self._reader.read(query.words))
        # Beside another topic, it is not clear whose the other words are.
        sought = asked.sought if len(query.values("topic")) == 1 else ()
        return self._entries(query, asked, sought)

    async def read(self, document_id: DocumentId) -> Document:
        """
        Raises:
            NotFound: there is no such task, or tasks live elsewhere.
        """
        wanted = document_id.values["id"]
        if self._tasks.elsewhere is not None:
            raise NotFound(TASKS_ELSEWHERE.format(server=self._tasks.elsewhere))
        if wanted == OPEN:
            unfinished = Filter(statuses=UNFINISHED)
            listing = await self._tasks.listed(unfinished, limit=MOST_LISTED)
            return self._list(document_id, listing)
        try:
            return _document(document_id, await self._tasks.task(wanted))
        except NotFound as error:
            suggestions = [self.pattern.format(id=one).text for one in error.suggestions]
            raise NotFound(str(error), suggestions=suggestions) from error

    async def _entries(
        self, query: Query, asked: TaskQuestion, sought: tuple[str, ...]
    ) -> Sequence[Entry]:
        phrases = words_at(query, asked.places)
        found = await self._found(asked, sought)
        entries = [
            Entry(
                self.pattern.format(id=task.id),
                _title(task),
                _snippet(task),
                phrases=phrases,
                # As they are here: the latest first.
                prior=1.0 - place / 100,
            )
            for place, task in enumerate(found)
        ]
        return entries if sought or asked.task_id else [*entries, self._list_entry(phrases)]

    async def _found(self, asked: TaskQuestion, sought: tuple[str, ...]) -> Sequence[Task]:
        if asked.task_id is not None:
            try:
                return [await self._tasks.task(asked.task_id)]
            except NotFound:
                return []
        limit = _MOST_READ if sought else MOST_FOUND
        listing = await self._tasks.listed(asked.filter(self._clock()), limit=limit)
        return _about(listing.tasks, sought)[:MOST_FOUND]

    def _list_entry(self, phrases: tuple[str, ...]) -> Entry:
        return Entry(
            self.pattern.format(id=OPEN),
            "All unfinished tasks",
            "The tasks that are open or in progress, the latest first.",
            phrases=phrases,
            is_live=True,
        )

    def _list(self, document_id: DocumentId, listing: Listing) -> Document:
        count = "No task is" if not listing.total else "1 task is"
        count = f"{listing.total:,} tasks are" if listing.total > 1 else count
        titles = "; ".join(plain(one.title) for one in listing.tasks[:3])
        said = f"**{count} unfinished.**"
        if listing.total > len(listing.tasks):
            said += f" These are the latest {len(listing.tasks)}."
        return Document(
            id=document_id,
            title=f"{count} unfinished",
            summary=f"{titles}." if titles else "Tasks are created with the tool create_task.",
            text="\n\n".join(filter(None, (said, _table(listing.tasks)))),
            as_of=self._clock(),
            source=self.told_by,
            metadata={"unfinished": str(listing.total)},
        )


def _about(tasks: Sequence[Task], sought: Sequence[str]) -> Sequence[Task]:
    """Those that hold most of the words, of which they hold at least one."""
    if not sought:
        return tasks
    held = [len(_words(task).intersection(sought)) for task in tasks]
    most = max(held, default=0)
    return [task for task, count in zip(tasks, held, strict=True) if count == most > 0]


def _words(task: Task) -> set[str]:
    text = " ".join((task.title, *task.labels, task.repository or "", task.description))
    return {word.text for word in split(text)}


def _title(task: Task) -> str:
    return f"Task: {plain(task.title)} ({_spoken(task.status)}, {task.priority})"


def _snippet(task: Task) -> str:
    about = plain(task.description)[:_SNIPPET]
    commit = f", commit {task.commit[:12]}" if task.commit else ""
    return f"Created by {plain(task.created_by)}, {rfc3339(task.created)}{commit}. {about}".strip()


def _document(document_id: DocumentId, task: Task) -> Document:
    parts = [
        f"**{_title(task)}**",
        table(("What", "Value"), _facts(task)),
        _quoted(task),
        _changes(task.changes),
    ]
    return Document(
        id=document_id,
        title=_title(task),
        summary=_snippet(task),
        text="\n\n".join(part for part in parts if part),
        as_of=task.updated,
        source=TaskSource.told_by,
        metadata={
            "task_id": task.id,
            "status": task.status,
            "priority": task.priority,
            "created_by": plain(task.created_by),
            "created": rfc3339(task.created),
        },
    )


def _facts(task: Task) -> Iterable[tuple[str, str]]:
    facts = {
        "Task": f"`{plain(task.id)}`",
        "Status": _spoken(task.status),
        "Priority": task.priority,
        "Created": f"{rfc3339(task.created)}, by {plain(task.created_by)}",
        "Updated": rfc3339(task.updated),
        "Assignee": plain(task.assignee or ""),
        "Labels": plain(", ".join(task.labels)),
        "Repository": plain(task.repository or ""),
        "Commit": f"`{plain(task.commit)}`" if task.commit else "",
        "Run": f"`run:{plain(task.run_id)}`" if task.run_id else "",
    }
    return [(name, value) for name, value in facts.items() if value]


def _quoted(task: Task) -> str:
    """The description as it was written, which no markdown in it can leave."""
    if not task.description:
        return ""
    text = displayable(task.description).replace("`", "'")
    return f"As {plain(task.created_by)} wrote it:\n\n```text\n{text}\n```"


def _changes(changes: Sequence[Change]) -> str:
    rows = [
        (
            rfc3339(one.time),
            plain(one.by),
            f"{_spoken(one.before)} to {_spoken(one.after)}",
            plain(one.note),
        )
        for one in changes
    ]
    return (
        f"## What became of it\n\n{table(('Time', 'By', 'Status', 'Note'), rows)}" if rows else ""
    )


def _table(tasks: Sequence[Task]) -> str:
    rows = [
        (
            f"`task:{plain(one.id)}`",
            plain(one.title),
            _spoken(one.status),
            one.priority,
            plain(one.created_by),
            _day(one.created),
        )
        for one in tasks
    ]
    head = ("Document", "Title", "Status", "Priority", "Created by", "Created")
    return table(head, rows) if rows else ""


def _spoken(status: str) -> str:
    return status.replace("_", " ")


def _day(moment: datetime) -> str:
    return rfc3339(moment)[:10]

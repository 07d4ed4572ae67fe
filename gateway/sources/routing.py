"""Documents about choices: `routing:{task}`, what would be chosen, and `route:{id}`, what was."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway.clock import Clock, now
from gateway.documents.document import Document, Entry
from gateway.documents.document_id import DocumentId, IdPattern
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.llm.messages import ChatRequest, Message, Text
from gateway.llm.route import Route
from gateway.llm.task import TASKS
from gateway.sources.attempts import attempts_text
from gateway.sources.believed import believed_text
from gateway.sources.models.rendering import plain, table
from gateway.sources.models.source import words_at
from gateway.sources.money import usd
from gateway.sources.router_question import RouterQuestion
from gateway.sources.router_reader import RouterReader
from gateway.text import shown
from gateway.usage.ledger import Ledger
from gateway.usage.report import UsageLine

LAST = "last"
LATEST_LISTED = 10
SHOWN_EXCLUSIONS = 10
_DAY = timedelta(days=1)
_SCORE_PARTS = ("quality", "cost", "time", "bonus")
_SAMPLES = {
    "coding": "Write a Python function that merges overlapping intervals, with unit tests.",
    "research": "Compare the literature on battery recycling methods and name the sources.",
    "creative": "Write a short story about a lighthouse keeper who collects clouds.",
    "quick": "What is the capital of Norway?",
    "complex": "Prove step by step that there are infinitely many primes of the form 4k + 3.",
    "long_context": "Summarize this report.\n"
    + "The committee met and noted its results. " * 4_000,
    "general": "Help me plan the agenda of a meeting with a new customer.",
}


def sample_request(task: str) -> ChatRequest:
    """A usual request of a task, to ask the router what it would do with one."""
    return ChatRequest("auto", (Message("user", (Text(_SAMPLES[task]),)),))


class RoutingSource:
    """`routing:{task}`; `plan` says what the router would do with a request of a task."""

    pattern = IdPattern("routing:{task}", {"task": lambda text: text.lower().replace("-", "_")})
    fresh_seconds = 5.0
    description = (
        "Which model would be chosen now for a task, and why: "
        f"{', '.join(TASKS[:-1])} or {TASKS[-1]}."
    )
    example = "routing:coding"
    told_by = "the router"
    phrases = ("which model would you pick for complex coding", "best model for research")
    is_private = True

    def __init__(
        self,
        plan: Callable[[ChatRequest, str], Route],
        reader: RouterReader,
        *,
        clock: Clock = now,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        return RoutingSource

    def entries(self, query: Query) -> Sequence[Entry]:
        if "routing" not in query.values("topic"):
            return ()
        question = self._reader.read(query.words)
        asked = question.cues.places("pick", "best", "model", "llm")
        tasks = question.tasks or ("general",)
        return [
            Entry(
                self.pattern.format(task=task),
                f"Which model is chosen for {_spoken(task)}",
                self.description,
                phrases=words_at(query, asked | _task_places(question, task)),
                prior=1 - 0.1 * rank,
                is_live=rank == 0,
            )
            for rank, task in enumerate(tasks)
        ]

    async def read(self, document_id: DocumentId) -> Document:
        task = document_id.values["task"]
        if task not in TASKS:
            raise NotFound(
                f"{shown(document_id.text)!r} does not exist: the tasks are {', '.join(TASKS)}",
                suggestions=[f"routing:{one}" for one in TASKS[:3]],
            )
        moment = self._clock()
        route = self._plan(sample_request(task), task)
        error = route.error(moment)
        chosen = route.steps[0].model.id if route.steps else "no model"
        said = f"For {_spoken(task)}, {chosen} would be chosen now"
        why = str(error) if error else _grounds(route.reason, chosen)
        return Document(
            id=document_id,
            title=said,
            summary=_sentence(plain(why)),
            text=f"**{said}**: {plain(why)}.\n\n{route_text(route.to_json())}",
            as_of=moment,
            source="this gateway's router",
            metadata={"task": task, "model": chosen},
        )


class RouteSource:
    """`route:{id}`: why one request went where it went; `route:last` is the latest."""

    pattern = IdPattern("route:{id}")
    fresh_seconds = 1.0
    description = (
        "Why a request went to the model that answered it; `route:last` is the latest request, "
        "with the ones before it."
    )
    example = "route:last"
    told_by = "the ledger"
    phrases = ("why was my last request routed to that model", "last routes")
    is_private = True

    def __init__(self, ledger: Ledger, reader: RouterReader, *, clock: Clock = now) -> None:
        self._ledger = ledger
        self._reader = reader
        self._clock = clock

    @property
    def revision(self) -> object:
        return RouteSource

    def entries(self, query: Query) -> Sequence[Entry]:
        """Only the latest: which it is, its page knows when it is read."""
        if "route" not in query.values("topic"):
            return ()
        cues = self._reader.read(query.words).cues
        is_alone = len(query.values("topic")) == 1
        beside = cues.places("why", "model", "llm") if is_alone else frozenset()
        return [
            Entry(
                self.pattern.format(id=LAST),
                "Why the last request went where it went, and the latest routes",
                self.description,
                phrases=words_at(query, cues.places("route", "because_of", "chosen") | beside),
                is_live=True,
            )
        ]

    async def read(self, document_id: DocumentId) -> Document:
        latest = await self._ledger.routes(LATEST_LISTED)
        route_id = document_id.values["id"]
        is_last = route_id == LAST
        route = (latest[0] if latest else None) if is_last else await self._ledger.route(route_id)
        if route is None:
            raise NotFound(
                "no request was routed yet"
                if is_last
                else f"{shown(document_id.text)!r} does not exist: no request has this route",
                suggestions=[f"route:{one['route_id']}" for one in latest[:3]],
            )
        lines = await self._lines(route)
        first = _first_model(route)
        title = f"Route {route['route_id']}: {plain(first)} for {_spoken(str(route.get('task')))}"
        reason = plain(_failed(route) + _grounds(_reason(route), first))
        parts = [f"**{title}**: {reason}.", attempts_text(route, lines), _used(lines)]
        parts += [route_text(route)]
        parts += [_latest(latest)] if is_last else []
        return Document(
            id=document_id,
            title=title,
            summary=f"{_sentence(reason)[:-1]}; asked by {plain(str(route['caller']))}; "
            f"cost {usd(route.get('cost_microusd'))}.",
            text="\n\n".join(part for part in parts if part),
            as_of=datetime.fromisoformat(route["time"].replace("Z", "+00:00")),
            source="this gateway's ledger",
            metadata={"route_id": str(route["route_id"]), "model": first},
        )

    async def _lines(self, route: Mapping[str, Any]) -> Sequence[UsageLine]:
        """The calls of this route, one line for each model and outcome."""
        began = datetime.fromisoformat(route["time"].replace("Z", "+00:00"))
        return await self._ledger.report(
            began - _DAY,
            began + _DAY,
            group_by=("model", "tier", "outcome"),
            where={"route_id": route["route_id"]},
        )


def _used(lines: Sequence[UsageLine]) -> str:
    """What the calls used and cost."""
    rows = [
        (
            *(plain(str(line.group[name])) for name in ("model", "tier", "outcome")),
            f"{line.requests:,}",
            f"{line.input_tokens:,}",
            f"{line.output_tokens:,}",
            usd(line.charged_microusd),
        )
        for line in lines
    ]
    head = ("Called", "Tier", "Outcome", "Requests", "Tokens in", "Tokens out", "Cost")
    return f"## What it used\n\n{table(head, rows)}" if rows else ""


def route_text(route: Mapping[str, Any]) -> str:
    """What was asked, the order to try, and what was left out, of a route as JSON."""
    asked = {
        "Asked for": route.get("wanted"),
        "Task": route.get("task"),
        "Complexity": route.get("complexity"),
        "Because": ", ".join(route.get("because") or ()),
        "Context": route.get("context"),
        "Priority": route.get("priority"),
        "Needs": ", ".join(route.get("needs") or ()),
        "Input tokens, guessed": _counted(route.get("input_tokens")),
        "Context tokens needed": _counted(route.get("context_tokens")),
        "Models considered": _counted(route.get("considered")),
    }
    facts = [(name, plain(str(value))) for name, value in asked.items() if value not in (None, "")]
    steps, excluded = route.get("steps") or [], route.get("excluded") or []
    parts = [
        f"## The request\n\n{table(('What', 'Value'), facts)}",
        f"## Tried in this order\n\n{_steps(steps)}" if steps else "## No model could be tried",
        believed_text(steps),
        _exclusions(excluded, route.get("excluded_counts") or {}),
    ]
    return "\n\n".join(part for part in parts if part)


def _counted(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _steps(steps: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            str(place),
            f"`{plain(step['model'])}`",
            str(step.get("tier", "")),
            plain(str(step.get("reason", ""))),
            usd(step.get("expected_microusd")),
            usd(step.get("worst_microusd")),
        )
        for place, step in enumerate(steps, start=1)
    ]
    head = ("", "Model", "Tier", "Why", "Expected cost", "At most")
    scores = [(f"`{plain(step['model'])}`", *_scores(step)) for step in steps]
    parts = (part.capitalize() for part in _SCORE_PARTS)
    return (
        f"{table(head, rows)}\n\nTheir scores: how likely the answer is good, less the shares of "
        "its worth that money and time take away, and a bonus for suiting the task:"
        f"\n\n{table(('Model', 'Score', *parts), scores)}"
    )


def _scores(step: Mapping[str, Any]) -> tuple[str, ...]:
    parts = step.get("score_parts") or {}
    scores = (step.get("score"), *(parts.get(name) for name in _SCORE_PARTS))
    return tuple("" if score is None else f"{score:.2f}" for score in scores)


def _exclusions(excluded: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> str:
    if not excluded and not counts:
        return ""
    counted = ", ".join(f"{count:,} for {why}" for why, count in sorted(counts.items()))
    rows = [
        (f"`{plain(one['model'])}`", str(one.get("tier", "")), plain(str(one.get("reason", ""))))
        for one in excluded[:SHOWN_EXCLUSIONS]
    ]
    shown_rows = table(("Model", "Tier", "Why not"), rows) if rows else ""
    return f"## Left out: {plain(counted)}\n\n{shown_rows}".rstrip()


def _latest(routes: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"`route:{plain(str(one['route_id']))}`",
            str(one["time"]),
            plain(str(one["caller"])),
            str(one.get("task", "")),
            plain(_first_model(one)),
        )
        for one in routes
    ]
    return f"## The latest routes\n\n{table(('Route', 'Time', 'Caller', 'Task', 'Model'), rows)}"


def _failed(route: Mapping[str, Any]) -> str:
    if route.get("answered_by") or route.get("outcome", "ok") == "ok":
        return ""
    return f"no model answered ({route['outcome']}). This one was tried because of: "


def _first_model(route: Mapping[str, Any]) -> str:
    """The model that answered, else the last that was tried, else the one to try first."""
    steps = route.get("steps") or ()
    tried = route.get("tried") or steps[:1]
    last = tried[-1]["model"] if tried else "no model"
    return str(route.get("answered_by") or route.get("tried_last") or last)


def _grounds(reason: str, model: str) -> str:
    """The reason without the model and its tier, where these were said already."""
    rest = reason.removeprefix(f"{model}, ")
    return rest.removeprefix("free: ").removeprefix("paid: ") if rest != reason else reason


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _reason(route: Mapping[str, Any]) -> str:
    return str(route.get("reason") or "no reason was kept")


def _task_places(question: RouterQuestion, task: str) -> frozenset[int]:
    """The words of a task, and how hard it is said to be: "complex coding"."""
    return question.cues.places(task, "hardness")


def _spoken(task: str) -> str:
    return f"{task.replace('_', ' ')} requests"

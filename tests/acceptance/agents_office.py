"""What tests of agents share: a repository, a model that reads diffs, and a gateway behind both."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

from gateway.agents.watchers.marks import Marks
from gateway.config.settings import Config, load
from gateway.storage.database import Database
from tests.acceptance.router_processes import RunningRouter, running_router, until
from tests.stand_ins.gateway_process import ROOT, own_environment
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn
from tests.stand_ins.machine import need
from tests.stand_ins.mcp_clients import over_sse, said

MODEL = "openrouter/small"
NOTHING = "Nothing to do here."
Json = Mapping[str, Any]
_KEY = re.compile(r"(sk_live_)\w+")
_FILE = re.compile(r"\+\+\+ b/(.+)")
_HUNK = re.compile(r"@@ -\S+ \+(\d+)")


class Repository:
    """A real one, in a folder; `commit` gives the hash."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, message: str, files: Mapping[str, str]) -> str:
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        settings = {
            "user.name": "Tester",
            "user.email": "tester@example.com",
            "commit.gpgsign": "false",
            "core.hooksPath": "/dev/null",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        ran = subprocess.run(
            [need("git"), *given, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return ran.stdout.strip()


class Line(NamedTuple):
    """One that a diff adds."""

    path: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A task that is wanted, in the arguments of `create_task`."""

    title: str
    description: str
    priority: str


def reads_diffs(body: Json) -> Answer:
    """A model that does what the shipped agents are told, and knows only what it is asked.

    It looks for tasks that are there, opens one for what it finds in the diff, and says which.
    """
    system, event, *since = body["messages"]
    change = json.loads(event["content"].partition(":\n")[2])
    find = next(find for words, find in _ROLES.items() if words in system["content"])
    finding = find(change)
    if finding is None:
        return Answer(NOTHING)
    results = [json.loads(one["content"]) for one in since if one["role"] == "tool"]
    if not results:
        return _calling("I look what is there.", "list_tasks", {"commit": change["commit"]})
    if len(results) == 1 and finding.title not in [one["title"] for one in results[0]["tasks"]]:
        about = {"repository": change["repository"], "commit": change["commit"]}
        task = {"title": finding.title, "description": finding.description}
        return _calling(
            finding.title, "create_task", {**task, **about, "priority": finding.priority}
        )
    return Answer(f"I opened {results[-1]['task']['id']}: {finding.title}.")


def _calling(text: str, tool: str, arguments: Json) -> Answer:
    return Answer(text, tools=(Tool(tool, json.dumps(arguments)),))


def _hard_coded_key(change: Json) -> Finding | None:
    for line in added_lines(change["diff"]):
        if _KEY.search(line.text):
            shown = _KEY.sub("sk_l…", line.text.strip())
            where = f"{line.path}:{line.number}"
            return Finding(f"Hard-coded key in {line.path}", f"{where} says `{shown}`.", "high")
    return None


def _not_documented(change: Json) -> Finding | None:
    if any(path.endswith(".md") for path in _paths(change)):
        return None
    described = "\n".join(_definitions(change))
    return Finding(f"Document {_code(change)[0]}", f"It is new:\n{described}", "low")


def _not_tested(change: Json) -> Finding | None:
    if any(Path(path).name.startswith("test_") for path in _paths(change)):
        return None
    cases = "\n".join(f"{one} does what it says" for one in _definitions(change))
    return Finding(f"Test {_code(change)[0]}", cases, "high")


_ROLES: Mapping[str, Callable[[Json], Finding | None]] = {
    "You review a change": _hard_coded_key,
    "You notice where documentation": _not_documented,
    "You notice behaviour that no test": _not_tested,
}


def _paths(change: Json) -> Sequence[str]:
    return [one["path"] for one in change["files"]]


def _code(change: Json) -> Sequence[str]:
    return [one["path"] for one in change["files"] if "language" in one]


def _definitions(change: Json) -> Sequence[str]:
    found = (re.match(r"def (\w+)", one.text) for one in added_lines(change["diff"]))
    return [one[1] for one in found if one]


def added_lines(diff: str) -> Iterator[Line]:
    path, number = "", 0
    for text in diff.splitlines():
        if file := _FILE.match(text):
            path = file[1]
        elif hunk := _HUNK.match(text):
            number = int(hunk[1])
        elif text.startswith("+"):
            yield Line(path, number, text[1:])
            number += 1
        elif text.startswith(" "):
            number += 1


class AgentsOffice:
    """`gateway serve` with these agents, which can be started again over what it kept.

    `settings` are those of agents.yaml. Nobody has a key unless `keys` name some; then what it
    asks itself it asks with the first.
    """

    def __init__(
        self,
        folder: Path,
        model: LlmStandIn,
        settings: Mapping[str, Any],
        *,
        keys: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.model = model
        self.router: RunningRouter
        self._keys = dict(keys or {})
        self._env = dict(env or {})
        self._stack = AsyncExitStack()
        (folder / "agents.yaml").write_text(yaml.safe_dump(dict(settings)), "utf-8")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        given = ",".join(f"{name}={key}" for name, key in self._keys.items())
        running = running_router(
            self.folder,
            self.model,
            settings={"agents_file": "agents.yaml"},
            env={**self._env, "GATEWAY_API_KEYS": given},
            key=next(iter(self._keys.values()), "none-is-needed"),
        )
        self.router = await self._stack.enter_async_context(running)

    async def stop(self) -> None:
        await self._stack.aclose()

    async def watches(self, name: str) -> None:
        await first_look(name, load(self.folder / "gateway.yaml", environment=self._environment))

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self.router.http() as client:
            answer = await client.post(path, json=dict(body or {}))
        assert answer.is_success, f"{answer.text}\n{self.router.process.log()}"
        return answer.json()

    async def runs(self, **filters: str) -> Sequence[Json]:
        """Ended or not, the latest first."""
        wanted = "&".join(f"{name}={value}" for name, value in filters.items())
        found: list[Json] = (await self.router.asked(f"/v1/agents/runs?limit=50&{wanted}"))["data"]
        return found

    async def ended(self, count: int, **filters: str) -> Sequence[Json]:
        """So many runs, once all of them have ended."""
        found: Sequence[Json] = ()

        async def have_ended() -> bool:
            nonlocal found
            found = await self.runs(**filters)
            return len(found) >= count and all(one["ended"] for one in found)

        try:
            await until(have_ended)
        except TimeoutError:
            raise TimeoutError(f"{found}\n{self.router.process.log()}") from None
        return found

    async def found(self, question: str) -> Sequence[Json]:
        """What ChatGPT finds."""
        results: Sequence[Json] = (await self._called("search", {"query": question}))["results"]
        return results

    async def read(self, document_id: str) -> Json:
        """What ChatGPT reads of it."""
        document: Json = await self._called("fetch", {"id": document_id})
        assert document["id"] == document_id
        return document

    async def command(self, *arguments: str) -> str:
        """What a command of `gateway` prints beside the gateway that runs."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *arguments),
            *("--config", str(self.folder / "gateway.yaml")),
            cwd=ROOT,
            env={**own_environment(), **self._environment, "COLUMNS": "200"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, aside = await process.communicate()
        assert process.returncode == 0, aside.decode()
        return out.decode()

    async def _called(self, tool: str, arguments: Json) -> Any:
        async with over_sse(self.router.url) as call:
            answer = await call(tool, arguments)
        return said(answer)

    @property
    def _environment(self) -> Mapping[str, str]:
        return {"MCP_DATABASE_DIR": str(self.folder / "kept"), **self._env}


async def first_look(name: str, config: Config) -> None:
    """Wait until a gateway has looked at a repository: what is there by then is old."""
    async with Database(config.database) as database:
        marks = Marks(database)

        async def has_looked() -> bool:
            return await marks.mark(f"git:{name}") is not None

        await until(has_looked)

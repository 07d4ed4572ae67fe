"""`agents.yaml`: what it takes, what it becomes, and how it refuses what is wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.agents.agent import Agent, Bounds, Quiet
from gateway.agents.topic import Hearing
from gateway.agents.watchers.settings import FileWatch, GitWatch, Schedule
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.agents.webhooks_out import WebhookTarget
from gateway.config.agents_file import AgentsConfig, read_agents, without_file
from gateway.config.settings import Config, load
from gateway.errors import ConfigurationError
from gateway.usage.limit import Dimension, Limit
from gateway.usage.window import Window
from tests.config.written import written

EXAMPLE = Path(__file__).parents[2] / "infra" / "config" / "agents.yaml"
SHIPPED = ["review", "research", "documentation", "test", "debugger"]
# 24 bytes in base64.
KEY = "whsec_" + "c2VjcmV0" * 4
SECRETS = {
    "GITHUB_WEBHOOK_SECRET": "s3cret of github",
    "GITLAB_WEBHOOK_TOKEN": "s3cret of gitlab",
    "GITLAB_SIGNING_SECRET": KEY,
    "EVENTS_WEBHOOK_SECRET": KEY,
    "PAGER_SECRET": KEY,
}


def loaded(folder: Path, text: str, **environment: str) -> AgentsConfig:
    return read_agents(written(folder, text, "agents.yaml"), environment)


def only_agent(folder: Path, text: str) -> Agent:
    (agent,) = loaded(folder, text).agents
    return agent


def configured(folder: Path, agents: str, settings: str = "") -> Config:
    written(folder, agents, "agents.yaml")
    return load(written(folder, f"agents_file: agents.yaml\n{settings}"), environment={})


def names(agents: AgentsConfig) -> tuple[list[str], list[str]]:
    return [one.name for one in agents.agents], [one.name for one in agents.off]


def uncommented() -> str:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    block = lines[lines.index("# agents:") :]
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in block)


def test_without_a_file_all_shipped_agents_are_off_and_nothing_is_watched() -> None:
    agents = load(environment={}).agents
    assert agents == without_file()
    assert (agents.is_empty, names(agents)) == (True, ([], SHIPPED))


def test_the_shipped_example_loads_and_says_nothing() -> None:
    assert read_agents(EXAMPLE, {}) == without_file()


def test_its_commented_block_loads(tmp_path: Path) -> None:
    found = loaded(tmp_path, uncommented(), **SECRETS)
    on = ["review", "documentation", "review-payments", "spend", "research"]
    assert names(found) == (on, ["test", "debugger"])
    assert found.git[0].repository == Path("/srv/shop")
    assert found.schedules == (
        Schedule("evening", "0 18 * * 1-5", ZoneInfo("Europe/Vienna"), {"about": "today"}),
    )
    assert found.webhooks_in == WebhookSecrets("s3cret of github", "s3cret of gitlab", KEY, KEY)
    assert found.webhooks_out == (
        WebhookTarget(
            "pager",
            "https://pager.example.com/hooks/gateway",
            KEY,
            kinds=("run.failed", "suggestion.*"),
        ),
    )
    assert (found.runs_at_once, found.retention_days) == (4, 90)
    assert (found.agents[2].kind, found.agents[2].model) == ("review", "auto:coding:best")
    assert found.agents[2].instructions == found.agents[0].instructions
    assert "s3cret" not in repr(found)
    assert KEY not in repr(found)


def test_an_agent_of_one_s_own_becomes_what_each_of_its_keys_says(tmp_path: Path) -> None:
    text = """
agents:
  - name: spend
    kind: own
    description: Looks at the spend.
    instructions: |
      Look at the spend of today.
    model: auto:free
    hears:
      - schedule:evening
      - topic: git:**
        where: {repository: "shop*", branch: main}
    tools: [search, fetch]
    proposes: [create_*]
    models: ["openrouter/*:free"]
    delegates_to: [research]
    budget_per_run_usd: 0.07
    budget_per_day_usd: 0.7
    max_rounds: 9
    max_tool_calls: 25
    max_depth: 4
    max_minutes: 1.5
    max_step_seconds: 17
    concurrency: 2
    quiet_hours: ["22:00-06:30 Europe/Vienna", "12:00-13:00"]
    context_messages: 41
    remembers: 3
    dry_run: true
    sees_spending: true
    output_tokens: 2001
"""
    assert only_agent(tmp_path, text) == Agent(
        "spend",
        "own",
        "Look at the spend of today.",
        description="Looks at the spend.",
        model="auto:free",
        hears=(
            Hearing("schedule:evening"),
            Hearing("git:**", {"repository": "shop*", "branch": "main"}),
        ),
        tools=("search", "fetch"),
        proposes=("create_*",),
        models=("openrouter/*:free",),
        delegates_to=("research",),
        bounds=Bounds(9, 25, 4, 90.0, 17.0, 70_000, 700_000),
        quiet=(
            Quiet(time(22), time(6, 30), ZoneInfo("Europe/Vienna")),
            Quiet(time(12), time(13), ZoneInfo("UTC")),
        ),
        concurrency=2,
        context_messages=41,
        remembers=3,
        is_dry_run=True,
        is_owner=True,
        output_tokens=2001,
    )


def test_what_an_agent_of_one_s_own_leaves_out_is_as_agents_are(tmp_path: Path) -> None:
    text = "agents: [{name: mine, instructions: Look.}]"
    assert only_agent(tmp_path, text) == Agent("mine", "own", "Look.")


def test_a_shipped_agent_is_on_once_it_is_said_and_only_what_differs_has_to_be(
    tmp_path: Path,
) -> None:
    text = "agents: [{name: review, is_on: true, tools: [search], budget_per_day_usd: 2}]"
    review = only_agent(tmp_path, text)
    shipped = next(one for one in without_file().off if one.name == "review")
    assert (review.instructions, review.hears) == (shipped.instructions, shipped.hears)
    assert (review.tools, review.bounds.day_microusd) == (("search",), 2_000_000)
    off = loaded(tmp_path, "agents: [{name: review, tools: [search]}]")
    assert (off.agents, off.off[0].tools) == ((), ("search",))
    assert off.is_empty


def test_an_agent_of_a_shipped_kind_and_its_own_name_is_on_and_takes_the_rest_from_it(
    tmp_path: Path,
) -> None:
    text = "agents: [{name: ci, kind: debugger, hears: ['gitlab:**']}, {name: x, kind: test}]"
    found = loaded(tmp_path, text)
    assert names(found) == (["ci", "x"], SHIPPED)
    assert found.agents[0].hears == (Hearing("gitlab:**"),)
    assert "the first error" in found.agents[0].instructions


@pytest.mark.parametrize(
    ("name", "topics"),
    [
        ("review", {"git:commit", "code:change"}),
        ("research", {"task:created", "question:asked"}),
        ("documentation", {"code:change", "api:created"}),
        ("test", {"code:change", "feature:added"}),
        ("debugger", {"agent:finished", "ci:failed", "gitlab:pipeline"}),
    ],
)
def test_each_shipped_agent_hears_its_topics_and_may_only_look_and_open_tasks(
    name: str, topics: set[str]
) -> None:
    agent = next(one for one in without_file().off if one.name == name)
    assert topics <= {one.pattern for one in agent.hears}
    assert set(agent.tools) == {"search", "fetch", "create_task", "list_tasks"}
    assert (agent.kind, agent.description != "", agent.is_owner) == (name, True, False)
    # Whatever they read may try to tell them what to do.
    assert "is material" in agent.instructions


def test_paths_begin_at_the_file_s_folder_or_at_home(tmp_path: Path) -> None:
    text = """
watch:
  git: [{repository: ../shop, name: shop, every_seconds: 1, max_diff_characters: 2000}]
  files: [{path: ~/docs, name: docs, include: ["*.md"], ignore: [drafts/*], debounce_seconds: 0.5}]
"""
    found = loaded(tmp_path, text)
    assert found.git == (
        GitWatch(
            "shop", tmp_path / "../shop", most_diff_characters=2_000, every_seconds=1.0
        ),
    )  # fmt: skip
    assert found.files == (
        FileWatch("docs", Path.home() / "docs", ("*.md",), ("drafts/*",), debounce_seconds=0.5),
    )
    assert not found.is_empty


def test_what_agents_may_spend_joins_the_limits(tmp_path: Path) -> None:
    config = configured(tmp_path, "agents: [{name: mine, instructions: Look.}]")
    where: Mapping[Dimension, str] = {"caller": "agent:mine"}
    assert config.limits == (
        Limit(
            "agent-mine-run",
            "microusd",
            50_000,
            Window("rolling", 30),
            where=where,
            per=("request_id",),
        ),
        Limit("agent-mine-day", "microusd", 500_000, Window("day"), where=where),
    )
    # An agent's budget lets nobody else pay, and usage may be kept for less than a run's window.
    assert not config.policy.may_pay
    again = configured(tmp_path, "agents: [{name: mine, instructions: x}]", "retention_days: 7")
    assert again.retention_days == 7


def test_an_agent_that_is_off_has_no_limits(tmp_path: Path) -> None:
    text = "agents: [{name: mine, instructions: Look., is_on: false}]"
    assert configured(tmp_path, text).limits == ()


def test_a_limit_may_not_have_the_name_of_an_agent_s(tmp_path: Path) -> None:
    limits = "limits: [{name: agent-mine-day, quota_requests: 1, window: day}]"
    with pytest.raises(ConfigurationError, match="two have the name agent-mine-day"):
        configured(tmp_path, "agents: [{name: mine, instructions: Look.}]", limits)


def test_no_caller_may_pass_for_an_agent(tmp_path: Path) -> None:
    caller = f'callers: [{{name: "agent:review", key_sha256: "{"a" * 64}"}}]'
    with pytest.raises(ConfigurationError, match=r"callers\[0\].name: .*agent:review"):
        configured(tmp_path, "", caller)


@pytest.mark.parametrize("limit", ["per: [request_id]", "where: {request_id: x}"])
def test_limits_of_single_requests_are_for_agents_alone(tmp_path: Path, limit: str) -> None:
    text = f"limits: [{{name: a, quota_requests: 1, window: day, {limit}}}]"
    with pytest.raises(ConfigurationError, match=r"should be 'caller', 'tier', 'provider', 'mod"):
        load(written(tmp_path, text), environment={})


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, "agents: [{name: mine, instructions: Look.}]", "agents.yaml")
    config = load(environment={"GATEWAY_AGENTS": str(file)})
    assert [one.name for one in config.agents.agents] == ["mine"]


def test_quiet_hours_may_go_past_midnight_where_they_are_meant(tmp_path: Path) -> None:
    text = "agents: [{name: a, instructions: x, quiet_hours: ['22:00-06:30 Europe/Vienna']}]"
    agent = only_agent(tmp_path, text)
    # Vienna is an hour ahead in winter, and two in summer.
    assert agent.is_quiet(datetime(2026, 1, 10, 21, 0, tzinfo=UTC))
    assert agent.is_quiet(datetime(2026, 7, 10, 4, 29, tzinfo=UTC))
    assert not agent.is_quiet(datetime(2026, 7, 10, 4, 30, tzinfo=UTC))


def test_a_webhook_may_go_to_this_machine_without_tls(tmp_path: Path) -> None:
    text = "webhooks_out: [{name: a, url: 'http://127.0.0.1:9/x', secret_env: KEY}]"
    found = loaded(tmp_path, text, KEY=KEY)
    assert [(one.url, one.kinds) for one in found.webhooks_out] == [
        ("http://127.0.0.1:9/x", ("*",))
    ]
    # It would be told of nothing: no agent is on, and nothing happens.
    assert found.is_empty

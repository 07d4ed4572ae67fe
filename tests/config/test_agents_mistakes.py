"""How `agents.yaml` refuses what is wrong: with its place, and what would be right."""

from pathlib import Path

import pytest

from gateway.config.agents_file import AgentsConfig, read_agents
from gateway.errors import ConfigurationError
from tests.config.written import written

# 24 bytes in base64.
KEY = "whsec_" + "c2VjcmV0" * 4
MINE = "name: mine, instructions: Look."


def loaded(folder: Path, text: str, **environment: str) -> AgentsConfig:
    return read_agents(written(folder, text, "agents.yaml"), environment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agent: []", r"agents.yaml: agent: unknown key; it takes agents, watch, schedules, webh"),
        (f"agents: [{{{MINE}, tool: x}}]", r"agents\[0\].tool: unknown key; it takes name, kind"),
        ("agents: [{name: mine}]", r"agents\[0\].instructions: is missing"),
        ("agents: [{kind: review}]", r"agents\[0\].name: is missing"),
        ("agents: [{name: mine, instructions: ' '}]", r"instructions: takes a text that says"),
        ("agents: [{name: Mine, instructions: x}]", r"agents\[0\].name: .*not 'Mine'"),
        ("agents: [{name: 'agent:x', instructions: x}]", r"agents\[0\].name: .*not 'agent:x'"),
        (f"agents: [{{{MINE}, kind: reviewer}}]", r"kind: takes review, research, documentation"),
        ("agents: [{name: review, kind: own}]", r"agents\[0\]: review is the shipped agent of th"),
        (f"agents: [{{{MINE}}}, {{{MINE}}}]", r"agents: two are called mine; rename one"),
        (
            f"agents: [{{{MINE}, delegates_to: [reserch]}}]",
            r"mine cannot delegate to reserch; there are: debugger, documentation, research, rev",
        ),
        (f"agents: [{{{MINE}, delegates_to: [mine]}}]", r"mine cannot delegate to mine"),
        (
            f"agents: [{{{MINE}, hears: ['Git:commit']}}]",
            r"hears\[0\].topic: topic: 'Git:commit' matches none; it takes a topic such as git:",
        ),
        (f"agents: [{{{MINE}, hears: ['git:**:x']}}]", r"'git:\*\*:x' matches none"),
        (f"agents: [{{{MINE}, hears: [{{topics: a}}]}}]", r"topics: unknown key; it takes topic"),
        (f"agents: [{{{MINE}, hears: [{{topic: a, where: {{n: 5}}}}]}}]", r"where.n: .*not 5"),
        (f"agents: [{{{MINE}, model: 'auto:fre'}}]", r"model: 'auto:fre' is not an automatic rou"),
        (f"agents: [{{{MINE}, budget_per_run_usd: -1}}]", r"budget_per_run_usd: .*not -1"),
        (f"agents: [{{{MINE}, budget_per_day_usd: .inf}}]", r"budget_per_day_usd: .*finite"),
        (f"agents: [{{{MINE}, max_rounds: 0}}]", r"max_rounds: .*greater than or equal to 1"),
        (f"agents: [{{{MINE}, max_minutes: 2000}}]", r"max_minutes: .*less than or equal to 1440"),
        (f"agents: [{{{MINE}, dry_run: 'yes'}}]", r"dry_run: should be a valid boolean"),
        (f"agents: [{{{MINE}, quiet_hours: ['22-6']}}]", r"quiet_hours\[0\]: takes hours of the"),
        (f"agents: [{{{MINE}, quiet_hours: ['22:00-24:00']}}]", r"the last minute of a day is 23"),
        (f"agents: [{{{MINE}, quiet_hours: ['08:00-08:00']}}]", r"these end when they begin"),
        (
            f"agents: [{{{MINE}, quiet_hours: ['22:00-06:00 Vienna']}}]",
            r"takes a zone such as Europe/Vienna or UTC, not '22:00-06:00 Vienna'",
        ),
        ("schedules: [{name: a, cron: '0 18 * *'}]", r"cron: '0 18 \* \*' does not have 5 fields"),
        (
            "schedules: [{name: a, cron: '0 25 * * *'}]",
            r"cron: '0 25 .*no time that ever comes; it takes minute, .*such as '0 18 \* \* 1-5'",
        ),
        ("schedules: [{name: a, cron: '0 0 31 2 *'}]", r"'0 0 31 2 \*' is no time that ever com"),
        ("schedules: [{name: a, cron: 'R 9 * * *'}]", r"is another time with each start"),
        ("schedules: [{name: a, cron: '@daily'}]", r"'@daily' does not have 5 fields"),
        ("schedules: [{name: a, cron: '0 0 * * *', zone: Europe}]", r"zone: takes a zone such as"),
        ("schedules: [{name: a, cron: '0 0 * * *', zone: ../x}]", r"zone: takes a zone such as"),
        ("schedules: [{name: A, cron: '0 0 * * *'}]", r"schedules\[0\].name: .*not 'A'"),
        (
            "schedules: [{name: a, cron: '0 0 * * *'}, {name: a, cron: '0 1 * * *'}]",
            r"schedules: two are called a",
        ),
        ("watch: {git: [{repository: /a}]}", r"watch.git\[0\].name: is missing"),
        ("watch: {git: [{repository: /a, name: a/b}]}", r"watch.git\[0\].name: .*not 'a/b'"),
        ("watch: {git: [{path: /a, name: a}]}", r"path: unknown key; it takes repository, name"),
        (
            "watch: {files: [{path: /a, name: a}, {path: /b, name: a}]}",
            r"watch.files: two are called a; rename one",
        ),
        ("watch: {files: [{path: /a, name: a, debounce_seconds: 0}]}", r"debounce_seconds: .*not"),
        ("webhooks_in: {gitlab: {}}", r"webhooks_in.gitlab: takes token_env, secret_env, or both"),
        ("webhooks_in: {bitbucket: {}}", r"webhooks_in.bitbucket: unknown key; it takes github"),
        (
            "webhooks_in: {github: {secret_env: NOT_SET}}",
            r"agents.yaml: webhooks_in.github.secret_env: the environment has no NOT_SET; set it",
        ),
        (
            "webhooks_in: {standard: {secret_env: SHORT}}",
            r"webhooks_in.standard.secret_env: the secret of a webhook is whsec_ and at le",
        ),
        (
            "webhooks_out: [{name: a, url: 'https://a.example', secret_env: NOT_SET}]",
            r"webhooks_out.a.secret_env: the environment has no NOT_SET",
        ),
        (
            "webhooks_out: [{name: a, url: 'http://a.example', secret_env: KEY}]",
            r"webhooks_out\[0\].url: takes a URL such as https://host/path; http:// only on this ",
        ),
        (
            "webhooks_out: [{name: a, url: 'https://', secret_env: KEY}]",
            r"webhooks_out\[0\].url: takes a URL such as",
        ),
        (
            "webhooks_out: [{name: a, url: 'https://a.example', secret_env: SHORT}]",
            r"webhooks_out.a: the secret of a webhook is whsec_ and 24",
        ),
        (
            "webhooks_out: [{name: a, url: 'https://a.example', secret_env: KEY, kinds: [run]}]",
            r"kinds\[0\]: takes patterns of run.done, run.failed",
        ),
        ("limits: {runs_at_once: 0}", r"limits.runs_at_once: .*greater than or equal to 1"),
        ("limits: {runs: 1}", r"limits.runs: unknown key; it takes runs_at_once, retention_days"),
        ("- name: a", r"takes keys and values"),
        ("agents: [review]", r"agents\[0\]: should be keys with values"),
        ("agents: [{name: [review]}]", r"agents\[0\].name: should be a valid string"),
        ("agents: [{name: a, kind: [own]}]", r"agents\[0\].kind: takes review, research"),
    ],
)
def test_what_is_wrong_stops_the_start_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        loaded(tmp_path, text, KEY=KEY, SHORT="short")


@pytest.mark.parametrize(
    "text",
    [
        "webhooks_in: {github: {secret_env: s3cret}}",
        "webhooks_in: {github: {secret: s3cret}}",
        "webhooks_in: {gitlab: {token_env: [s3cret]}}",
        "webhooks_in: {standard: {secret_env: SHORT}}",
        "webhooks_in: {standard: s3cret}",
        "webhooks_out: [{name: a, url: 'https://a.example', secret_env: whsec_s3cret}]",
        "webhooks_out: [{name: a, url: 'https://a.example', secret_env: SHORT}]",
        "webhooks_out: [{name: a, url: 'ftp://a.example?token=s3cret', secret_env: SHORT}]",
    ],
)
def test_no_secret_is_shown_wherever_it_was_put(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text, SHORT="s3cret")
    assert "s3cret" not in str(refused.value)

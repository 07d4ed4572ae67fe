"""What `gateway check` says of `agents.yaml`."""

from pathlib import Path

from gateway.config.explain import explain
from gateway.config.settings import Config, load
from tests.config.written import written


def configured(folder: Path, agents: str) -> Config:
    written(folder, agents, "agents.yaml")
    return load(written(folder, "agents_file: agents.yaml"), environment={})


def explained(config: Config) -> list[str]:
    return list(explain(config))


def test_check_says_which_agents_are_on_what_they_hear_and_what_they_may_spend(
    tmp_path: Path,
) -> None:
    repository, docs = tmp_path / "shop", tmp_path / "docs"
    (repository / ".git").mkdir(parents=True)
    docs.mkdir()
    text = f"""
agents:
  - {{name: review, is_on: true, budget_per_run_usd: 0.25, dry_run: true}}
  - name: spend
    instructions: Look.
    model: auto:free
    hears: [{{topic: "schedule:*", where: {{about: today}}}}]
    tools: [fetch]
    proposes: [create_task]
    budget_per_day_usd: 0
    sees_spending: true
  - {{name: asked, instructions: Answer.}}
watch:
  git: [{{repository: {repository}, name: shop, branches: [main]}}]
  files: [{{path: {docs}, name: docs, ignore: ["drafts/*"]}}]
schedules: [{{name: evening, cron: "0 18 * * 1-5", zone: Europe/Vienna}}]
limits: {{retention_days: null}}
"""
    said = explained(configured(tmp_path, text))
    for line in (
        "agents: 3 on; off: research, documentation, test, debugger",
        "at most 4 runs of agents at once; what ended is kept for ever",
        "agent review: hears git:commit, code:change; model auto:coding; at most $0.25 for a run "
        "and $0.50 in a day; tools search, fetch, create_task, list_tasks; only proposes all that "
        "writes",
        "agent spend: hears schedule:* (about today); model auto:free; free models only; tools "
        "fetch; only proposes create_task; reads what was spent",
        "agent asked: hears nothing, and answers who asks it; model auto; at most $0.05 for a run "
        "and $0.50 in a day; tools none",
        f"repository shop at {repository}: branches main",
        f"files docs at {docs}: *, without drafts/*",
        "schedule evening: 0 18 * * 1-5, Europe/Vienna",
    ):
        assert line in said, line
    assert not any(line.startswith(("warning", "budget agent-")) for line in said)


def test_check_warns_of_what_will_come_to_nothing(tmp_path: Path) -> None:
    text = f"""
agents:
  - {{name: mine, instructions: Look., hears: ["schedule:evning"], delegates_to: [research]}}
watch:
  git: [{{repository: {tmp_path}, name: shop}}]
  files: [{{path: {tmp_path}/none, name: docs}}]
schedules: [{{name: evening, cron: "0 18 * * 1-5"}}]
"""
    assert [line for line in explained(configured(tmp_path, text)) if "warning" in line] == [
        "warning: agent mine delegates to research, which is off",
        f"warning: watch.git: shop: {tmp_path} is no git repository",
        f"warning: watch.files: docs: {tmp_path}/none is not there",
        "warning: no agent that is on hears schedule:evening",
        "warning: an agent hears schedule:evning, and schedules has none of that name",
    ]


def test_check_names_the_agents_that_ship_where_none_is_on() -> None:
    said = explained(load(environment={}))
    assert "agents: none on; off: review, research, documentation, test, debugger" in said


def test_who_is_told_and_who_may_tell_is_said_without_a_secret(tmp_path: Path) -> None:
    text = """
webhooks_in: {github: {secret_env: A}, gitlab: {token_env: A}, standard: {secret_env: B}}
webhooks_out:
  - name: pager
    url: ${PAGER_URL}
    secret_env: B
    kinds: [run.failed, "suggestion.*"]
"""
    written(tmp_path, text, "agents.yaml")
    secrets = {"A": "s3cret", "B": "whsec_" + "c2VjcmV0" * 4}
    url = "https://me:s3cret@a.example:8443/s3cret?s3cret"
    file = written(tmp_path, "agents_file: agents.yaml")
    said = "\n".join(explained(load(file, environment={**secrets, "PAGER_URL": url})))
    assert "webhooks are taken from github, gitlab, standard" in said
    assert "webhook pager to https://a.example:8443: run.failed, suggestion.*" in said
    assert not any(secret in said for secret in secrets.values())

"""What `agents.yaml` means, line by line, and what in it will come to nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from gateway.agents.agent import Agent
from gateway.agents.topic import Hearing, matches
from gateway.agents.watchers.settings import GitWatch
from gateway.config.agents_file import AgentsConfig
from gateway.usage.limit import dollars

_OF_SCHEDULES = "schedule:"


def explain_agents(config: AgentsConfig) -> Iterator[str]:
    off = ", ".join(agent.name for agent in config.off) or "none"
    yield f"agents: {len(config.agents) or 'none'} on; off: {off}"
    if config.is_empty:
        return
    kept = f"{config.retention_days} days" if config.retention_days else "for ever"
    yield f"at most {config.runs_at_once} runs of agents at once; what ended is kept {kept}"
    yield from map(_agent, config.agents)
    yield from _watched(config)
    for target in config.webhooks_out:
        yield f"webhook {target.name} to {_host(target.url)}: {', '.join(target.kinds)}"
    yield from (f"warning: {said}" for said in _warnings(config))


def _agent(agent: Agent) -> str:
    hears = ", ".join(map(_heard, agent.hears))
    parts = [
        f"hears {hears}" if hears else "hears nothing, and answers who asks it",
        f"model {agent.model}",
        _budget(agent),
        f"tools {_listed(agent.tools)}",
        *([f"only proposes {_proposed(agent)}"] if agent.is_dry_run or agent.proposes else []),
        *(["reads what was spent"] if agent.is_owner else []),
    ]
    return f"agent {agent.name}: {'; '.join(parts)}"


def _heard(hearing: Hearing) -> str:
    where = ", ".join(f"{path} {pattern}" for path, pattern in hearing.where.items())
    return f"{hearing.pattern} ({where})" if where else hearing.pattern


def _budget(agent: Agent) -> str:
    run, day = agent.bounds.run_microusd, agent.bounds.day_microusd
    if min(run, day) == 0:
        return "free models only"
    return f"at most {dollars(run)} for a run and {dollars(day)} in a day"


def _proposed(agent: Agent) -> str:
    return "all that writes" if agent.is_dry_run else _listed(agent.proposes)


def _listed(patterns: Sequence[str]) -> str:
    return ", ".join(patterns) or "none"


def _watched(config: AgentsConfig) -> Iterator[str]:
    for git in config.git:
        yield f"repository {git.name} at {git.repository}: branches {_listed(git.branches)}"
    for files in config.files:
        ignored = f", without {_listed(files.ignore)}" if files.ignore else ""
        yield f"files {files.name} at {files.path}: {_listed(files.include)}{ignored}"
    for schedule in config.schedules:
        yield f"schedule {schedule.name}: {schedule.cron}, {schedule.zone.key}"
    if config.webhooks_in.senders:
        yield f"webhooks are taken from {', '.join(config.webhooks_in.senders)}"


def _host(url: str) -> str:
    """Without what may be as good as a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _warnings(config: AgentsConfig) -> Iterator[str]:
    off = {agent.name for agent in config.off}
    for agent in config.agents:
        for other in off.intersection(agent.delegates_to):
            yield f"agent {agent.name} delegates to {other}, which is off"
    yield from _missing(config)
    yield from _unheard(config)


def _missing(config: AgentsConfig) -> Iterator[str]:
    for git in config.git:
        if not _is_repository(git):
            yield f"watch.git: {git.name}: {git.repository} is no git repository"
    for files in config.files:
        if not files.path.exists():
            yield f"watch.files: {files.name}: {files.path} is not there"


def _is_repository(git: GitWatch) -> bool:
    # A worktree has a file of that name; a bare repository is the folder itself.
    return (git.repository / ".git").exists() or Path(git.repository, "HEAD").is_file()


def _unheard(config: AgentsConfig) -> Iterator[str]:
    """Schedules that no agent hears, and those that agents hear and nothing says."""
    heard = {one.pattern for agent in config.agents for one in agent.hears}
    topics = {_OF_SCHEDULES + schedule.name for schedule in config.schedules}
    for topic in sorted(topics):
        if not any(matches(pattern, topic) for pattern in heard):
            yield f"no agent that is on hears {topic}"
    for pattern in sorted(heard - topics):
        if pattern.startswith(_OF_SCHEDULES) and "*" not in pattern:
            yield f"an agent hears {pattern}, and schedules has none of that name"

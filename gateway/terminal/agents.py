"""`gateway agents`: see what agents do, ask them, read their runs, decide, and stop them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.caller import LOCAL
from gateway.terminal.agents_opened import ended, load_settings, with_agents, worked

if TYPE_CHECKING:
    from gateway.agents.agents import Agents
    from gateway.agents.run import Run
    from gateway.agents.suggestion import Suggestion

MOST_LISTED = 500
USUAL_LISTED = 20
LAST = "last"
UNFINISHED = 1

agents = typer.Typer(
    help="Agents that are always on: what they do, did and suggest.", no_args_is_help=True
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings, such as gateway.yaml; or name it in GATEWAY_CONFIG."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DemoLlm = Annotated[
    bool, typer.Option("--demo-llm", help="Add a model provider that needs no key: a demo.")
]
Limit = Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many at most.")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Such as 20261121-083000-0a1b2c3d4e, or last.")
]
SuggestionId = Annotated[str, typer.Argument(metavar="ID", help="Such as sug_0123456789ab.")]
Note = Annotated[str, typer.Option(help="Why, for whoever reads it later.")]
OneOrAll = Annotated[str | None, typer.Argument(metavar="NAME", help="An agent's name.")]
All = Annotated[bool, typer.Option("--all", help="All agents.")]


@agents.command("list")
def listed(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the agents that are on: what each does now, did today and spent.

    Example: gateway agents list
    """
    from gateway.agents.as_json import standing_to_json
    from gateway.terminal import agents_shown as shown
    from gateway.terminal.benchmark_run import Screens

    settings = load_settings(config)
    standings = worked(settings, lambda agents: agents.standings())
    if as_json:
        _print_json([standing_to_json(one) for one in standings])
        return
    shown.show_standings(Screens.usual(), standings, off=[one.name for one in settings.agents.off])


@agents.command("run")
def run(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="One, or a team in turn.")],
    question: Annotated[str, typer.Argument(help="What is asked of them.")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show each step, until it has ended.")
    ] = True,
    config: ConfigFile = None,
    demo_llm: DemoLlm = False,
    as_json: AsJson = False,
) -> None:
    """Ask an agent something; several answer in turn, and each reads those before it.

    The question is stored first. Who waits carries it out, unless a gateway that runs does so
    first; with --no-wait it is done by whichever runs next.

    Example: gateway agents run review "Look at the last commit of /srv/shop"
    """

    async def work(agents: "Agents") -> int:
        runs = await agents.ask_team(names, question, by=LOCAL.name)
        await _tell_who_is_away(agents, names)
        if not wait:
            _told(runs, as_json=as_json)
            return 0
        return await _followed(agents, runs, as_json=as_json)

    raise typer.Exit(ended(with_agents(config, work, carries_out=wait, is_demo=demo_llm)))


@agents.command("pause")
def pause(
    name: OneOrAll = None,
    every: All = False,
    stop: Annotated[bool, typer.Option("--stop", help="End what runs of it, too.")] = False,
    config: ConfigFile = None,
) -> None:
    """Let no new run of an agent begin; what it hears meanwhile waits.

    With --stop or --all, also what is under way ends, in every gateway on this database.

    Example: gateway agents pause review
    """
    whom = _one_or_all(name, every=every)

    async def work(agents: "Agents") -> None:
        await (agents.stop if stop else agents.pause)(whom, by=LOCAL.name)

    worked(load_settings(config), work)
    typer.echo(
        "all agents are stopped" if every else f"{whom} is {'stopped' if stop else 'paused'}"
    )


@agents.command("resume")
def resume(name: OneOrAll = None, every: All = False, config: ConfigFile = None) -> None:
    """Let a paused agent go on with what waits for it.

    Example: gateway agents resume review
    """
    whom = _one_or_all(name, every=every)

    async def work(agents: "Agents") -> bool:
        await agents.resume(whom, by=LOCAL.name)
        return any(one.paused for one in await agents.standings() if whom in ("*", one.agent.name))

    still_paused = worked(load_settings(config), work)
    typer.echo("agents go on" if every else f"{whom} goes on")
    if still_paused:
        other = "single agents are" if every else "all agents are"
        typer.echo(f"but {other} paused, too: see gateway agents list", err=True)


@agents.command("logs")
def logs(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The whole story of one run; or last.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only runs of this agent.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only runs that failed, or that a guard stopped.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what comes, too.")] = False,
    limit: Limit = USUAL_LISTED,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest runs, or every step of one.

    Example: gateway agents logs --failed
    """
    from gateway.errors import InvalidRequest
    from gateway.terminal import agents_followed as followed

    if run_id is not None and (agent or failed):
        raise InvalidRequest("--agent and --failed choose among runs; a run is named alone")

    async def work(agents: "Agents") -> int:
        if run_id is None:
            wanted = followed.Wanted(agent, is_failed=failed, limit=limit)
            await followed.show_runs(agents, wanted, follows=follow, as_json=as_json)
            return 0
        found = await _run(agents, run_id)
        if follow:
            return await _followed(agents, [found], as_json=as_json)
        await followed.show_story(agents, found.id, as_json=as_json)
        return 0

    raise typer.Exit(ended(with_agents(config, work)))


@agents.command("cancel")
def cancel(run_id: RunId, config: ConfigFile = None) -> None:
    """Stop a run for good.

    Example: gateway agents cancel last
    """

    async def work(agents: "Agents") -> "Run":
        found = await _run(agents, run_id)
        await agents.cancel_run(found.id)
        return await agents.run(found.id)

    found = worked(load_settings(config), work)
    # What another process carries out ends within a second, at its next step.
    typer.echo(f"{found.id} is {found.status if found.has_ended else 'being cancelled'}")


@agents.command("replay")
def replay(
    run_id: RunId,
    from_step: Annotated[
        int, typer.Option(min=1, help="The first step that is done anew; those before are copied.")
    ] = 1,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show each step, until it has ended.")
    ] = True,
    config: ConfigFile = None,
    demo_llm: DemoLlm = False,
    as_json: AsJson = False,
) -> None:
    """Run again for the same event, from the beginning or from a step.

    Example: gateway agents replay last --from-step 3
    """

    async def work(agents: "Agents") -> int:
        found = await _run(agents, run_id)
        again = await agents.replay(found.id, from_step=from_step)
        if not wait:
            _told([again], as_json=as_json)
            return 0
        return await _followed(agents, [again], as_json=as_json)

    raise typer.Exit(ended(with_agents(config, work, carries_out=wait, is_demo=demo_llm)))


@agents.command("suggestions")
def suggestions(
    every: Annotated[bool, typer.Option("--all", help="The decided ones too.")] = False,
    agent: Annotated[str | None, typer.Option(help="Only those of this agent.")] = None,
    limit: Limit = USUAL_LISTED,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what agents suggest, with the reasons; each waits for accept or dismiss.

    Example: gateway agents suggestions
    """
    from gateway.agents.as_json import suggestion_to_json
    from gateway.terminal import agents_shown as shown
    from gateway.terminal.benchmark_run import Screens

    found = worked(
        load_settings(config),
        lambda agents: agents.suggestions(
            status=None if every else "open", agent=agent, limit=limit
        ),
    )
    if as_json:
        _print_json([suggestion_to_json(one) for one in found])
        return
    shown.show_suggestions(Screens.usual(), found)


@agents.command("accept")
def accept(
    suggestion_id: SuggestionId, note: Note = "", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Do what an agent suggested: the call that it proposed is made, as you, once.

    Example: gateway agents accept sug_0123456789ab --note "yes, today"
    """

    async def work(agents: "Agents") -> "Suggestion":
        return await agents.accept(suggestion_id, LOCAL, note=note)

    # The tool that is called may be any there is.
    _decided(asyncio.run(with_agents(config, work, is_whole=True)), as_json=as_json)


@agents.command("dismiss")
def dismiss(
    suggestion_id: SuggestionId, note: Note = "", config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Put a suggestion aside: nothing is called.

    Example: gateway agents dismiss sug_0123456789ab --note "it is a test key"
    """

    async def work(agents: "Agents") -> "Suggestion":
        return await agents.dismiss(suggestion_id, LOCAL, note=note)

    _decided(worked(load_settings(config), work), as_json=as_json)


@agents.command("events")
def events(
    topic: Annotated[
        str | None, typer.Option(help="Only those, such as git:commit or 'git:*'.")
    ] = None,
    limit: Limit = USUAL_LISTED,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what happened that agents may have heard, the latest first.

    Example: gateway agents events --topic 'git:*'
    """
    from gateway.terminal import agents_shown as shown
    from gateway.terminal.benchmark_run import Screens

    found = worked(load_settings(config), lambda agents: agents.events(pattern=topic, limit=limit))
    if as_json:
        _print_json([one.as_json() for one in found])
        return
    shown.show_events(Screens.usual(), found)


def _one_or_all(name: str | None, *, every: bool) -> str:
    """The name, or `*`.

    Raises:
        InvalidRequest: neither is given, or both.
    """
    from gateway.agents.pauses import ALL
    from gateway.errors import InvalidRequest

    if (name is None) != every:
        raise InvalidRequest("name one agent, or say --all")
    return ALL if name is None else name


async def _run(agents: "Agents", run_id: str) -> "Run":
    """Raises:
    NotFound: there is no such run, or none at all.
    """
    from gateway.errors import NotFound

    if run_id != LAST:
        return await agents.run(run_id)
    if latest := await agents.runs(limit=1):
        return latest[0]
    raise NotFound("no agent has run yet")


async def _tell_who_is_away(agents: "Agents", names: "Sequence[str]") -> None:
    for name in names:
        if away := await agents.away(name):
            typer.echo(f"{away}: what is asked of {name} waits until it goes on", err=True)


async def _followed(agents: "Agents", runs: "Sequence[Run]", *, as_json: bool) -> int:
    from gateway.terminal import agents_followed as followed

    done = [await followed.follow_run(agents, one.id, as_json=as_json) for one in runs]
    return 0 if all(done) else UNFINISHED


def _told(runs: "Sequence[Run]", *, as_json: bool) -> None:
    from gateway.agents.as_json import run_to_json

    if as_json:
        _print_json([run_to_json(one) for one in runs])
        return
    for one in runs:
        typer.echo(one.id)


def _decided(suggestion: "Suggestion", *, as_json: bool) -> None:
    from gateway.agents.as_json import suggestion_to_json
    from gateway.terminal.printable import printable

    if as_json:
        _print_json(suggestion_to_json(suggestion))
        return
    typer.echo(f"{suggestion.id} is {suggestion.status}")
    if suggestion.outcome:
        typer.echo(printable(suggestion.outcome))


def _print_json(content: Any) -> None:
    # Whatever steers a terminal is escaped.
    typer.echo(json.dumps(content, ensure_ascii=True, indent=2))

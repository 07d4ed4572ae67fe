"""`gateway benchmark`: run models on a suite, compare runs, and take them along."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.benchmarks.record import Run, Settings
    from gateway.benchmarks.runner import Benchmarks
    from gateway.terminal.benchmark_run import Screens

USUAL_MODELS = 5
MOST_LISTED = 50
# As shells have it: 128 and the number of the signal.
INTERRUPTED = 130
UNFINISHED = 1

benchmark = typer.Typer(
    help="Benchmarks of models: how good, how fast, at what cost.", no_args_is_help=True
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings, such as gateway.yaml; or name it in GATEWAY_CONFIG."),
]
DemoLlm = Annotated[
    bool, typer.Option("--demo-llm", help="Add a model provider that needs no key: a demo.")
]


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line."""

    models: tuple[str, ...] = ()
    suite: Path | None = None
    tasks: tuple[str, ...] = ()
    runs: int = 1
    parallel: int = 2
    budget_usd: float | None = None
    judge: str | None = None
    resume: str | None = None
    name: str | None = None
    is_agreed: bool = False

    @property
    def budget_microusd(self) -> int | None:
        return None if self.budget_usd is None else round(self.budget_usd * 1_000_000)


@benchmark.command("run")
def run(
    model: Annotated[
        list[str] | None, typer.Option(help="A model's ID, name or alias; free ones without it.")
    ] = None,
    suite: Annotated[
        Path | None, typer.Option(help="Cases of your own, as YAML; else those that ship.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only cases of this task, such as coding.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often each model gets each case.")] = 1,
    parallel: Annotated[int, typer.Option(min=1, help="How many calls run at once.")] = 2,
    budget: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, help="US dollars that it may cost at most."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model that judges what no check can; an opinion.")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this run; or last.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Spend the budget without asking.")] = False,
    config: ConfigFile = None,
    demo_llm: DemoLlm = False,
) -> None:
    """Ask models the cases of a suite, check their answers, and keep what came of it.

    What may cost money needs a budget, which is never exceeded. A run that was interrupted or
    killed goes on where it was, with --resume.

    Example: gateway benchmark run --task coding --runs 3
    """
    from gateway.terminal.benchmark_run import Screens

    wanted = Wanted(
        models=tuple(model or ()),
        suite=suite,
        tasks=tuple(task or ()),
        runs=runs,
        parallel=parallel,
        budget_usd=budget,
        judge=judge,
        resume=resume,
        name=name,
        is_agreed=yes,
    )

    async def work() -> int:
        async with _opened(config, is_demo=demo_llm) as benchmarks:
            return await ran(benchmarks, wanted, Screens.usual())

    try:
        code = asyncio.run(work())
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)


@benchmark.command("list")
def listed(config: ConfigFile = None) -> None:
    """List the latest runs.

    Example: gateway benchmark list
    """
    from gateway.caller import LOCAL
    from gateway.terminal.benchmark_run import Screens, show_runs

    async def work() -> None:
        async with _opened(config) as benchmarks:
            show_runs(Screens.usual(), await benchmarks.summaries(LOCAL, MOST_LISTED))

    asyncio.run(work())


@benchmark.command("compare")
def compare(
    first: Annotated[str, typer.Argument(help="A run's ID.")],
    second: Annotated[str, typer.Argument(help="A later run's ID, or last.")],
    config: ConfigFile = None,
) -> None:
    """Set two runs side by side: what changed, and whether that is more than chance.

    Example: gateway benchmark compare 20261101-020000-1231a last
    """
    from gateway.benchmarks.comparison import compare as compared
    from gateway.caller import LOCAL
    from gateway.terminal.benchmark_run import Screens, show_comparison

    async def work() -> None:
        async with _opened(config) as benchmarks:
            before, after = [await benchmarks.report(LOCAL, one) for one in (first, second)]
            show_comparison(Screens.usual(), compared(before, after))

    asyncio.run(work())


@benchmark.command("export")
def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's ID, or last.")],
    form: Annotated[Format, typer.Option("--format", help="csv or json.")] = Format.CSV,
    to: Annotated[Path | None, typer.Option(help="A file; else it is printed.")] = None,
    config: ConfigFile = None,
) -> None:
    """Print all results of a run, or write them to a file.

    Example: gateway benchmark export last --format json --to results.json
    """

    async def work() -> str:
        async with _opened(config) as benchmarks:
            return await exported(benchmarks, run_id, form)

    text = asyncio.run(work())
    if to is None:
        typer.echo(text, nl=False)
        return
    to.write_text(text, "utf-8")
    typer.echo(f"wrote {to}", err=True)


async def exported(benchmarks: "Benchmarks", run_id: str, form: Format) -> str:
    from gateway.benchmarks.export import to_csv, to_json
    from gateway.caller import LOCAL

    report = await benchmarks.report(LOCAL, run_id)
    if form is Format.CSV:
        return to_csv(report)
    return json.dumps(to_json(report), ensure_ascii=False, indent=2) + "\n"


async def ran(benchmarks: "Benchmarks", wanted: Wanted, screens: "Screens") -> int:
    """The exit code.

    Raises:
        GatewayError: it could not begin, or a result could not be kept.
    """
    from gateway.caller import LOCAL
    from gateway.terminal.benchmark_run import resume_words, show_report, showing

    begun = await _begun(benchmarks, wanted, screens)
    if begun is None:
        return UNFINISHED
    screens.tell(f"benchmark {begun.id}, {begun.name}")
    try:
        async with showing(screens, begun) as tell:
            report = await benchmarks.carry_out(LOCAL, begun, tell)
    except asyncio.CancelledError:
        screens.tell(f"stopped; {resume_words(begun)}")
        raise
    show_report(screens, report)
    return 0 if report.is_whole and report.failed < len(report.results) else UNFINISHED


async def _begun(benchmarks: "Benchmarks", wanted: Wanted, screens: "Screens") -> "Run | None":
    """The run that is to be carried out; None if the user thought better of it."""
    from gateway.caller import LOCAL
    from gateway.errors import InvalidRequest
    from gateway.terminal.benchmark_run import estimate_words

    if wanted.resume is not None:
        if wanted.models or wanted.suite or wanted.tasks:
            raise InvalidRequest("--resume goes on with a run as it was begun; name it alone")
        return await benchmarks.resume(LOCAL, wanted.resume, budget_microusd=wanted.budget_microusd)
    settings = settings_of(benchmarks, wanted, screens)
    estimate = await benchmarks.estimate(LOCAL, settings)
    screens.tell(estimate_words(settings, estimate))
    if estimate.paid and wanted.budget_usd is None:
        raise InvalidRequest(
            f"{', '.join(estimate.paid)} may cost money; say with --budget how much, such as "
            "--budget 0.50"
        )
    must_ask = estimate.paid and not wanted.is_agreed and screens.aside.is_terminal
    if must_ask and not typer.confirm(f"Spend up to ${wanted.budget_usd:g}?", err=True):
        return None
    suite = wanted.suite.stem if wanted.suite else "shipped suite"
    return await benchmarks.begin(LOCAL, settings, wanted.name or suite)


def settings_of(benchmarks: "Benchmarks", wanted: Wanted, screens: "Screens") -> "Settings":
    """Raises:
    GatewayError: there is no such model, task or suite, or no free model.
    """
    from gateway.benchmarks.choosing import chosen
    from gateway.benchmarks.record import Settings
    from gateway.benchmarks.suite import read_suite, shipped_suite
    from gateway.caller import LOCAL
    from gateway.errors import Refused

    models = benchmarks.models(LOCAL, wanted.models)
    models = models or benchmarks.free_models(LOCAL, USUAL_MODELS)
    if not models:
        raise Refused("no free model can be called; name models with --model, and a --budget")
    judge = None if wanted.judge is None else benchmarks.models(LOCAL, [wanted.judge])[0]
    every = read_suite(wanted.suite) if wanted.suite else shipped_suite()
    cases = chosen(every, tasks=wanted.tasks, has_judge=judge is not None)
    of_tasks = len(chosen(every, tasks=wanted.tasks, has_judge=True))
    if left_out := of_tasks - len(cases):
        screens.tell(f"left out {left_out} of {of_tasks} cases, which only a --judge can judge")
    return Settings(
        cases, tuple(models), wanted.runs, wanted.parallel, wanted.budget_microusd, judge
    )


@asynccontextmanager
async def _opened(config: Path | None, *, is_demo: bool = False) -> AsyncIterator["Benchmarks"]:
    from gateway import caller
    from gateway.app.demo import demo_providers
    from gateway.app.opening import opened
    from gateway.config.settings import load

    caller.begin(caller.LOCAL)
    async with AsyncExitStack() as stack:
        more = await stack.enter_async_context(demo_providers()) if is_demo else ()
        gateway = await stack.enter_async_context(opened(load(config), more_providers=more))
        yield gateway.router.benchmarks

"""`gateway train routing` builds what routing learned; `gateway evaluate routing` measures it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    # The classifier takes as long to load as the help does.
    from gateway.learning.strength_evaluation import Recovery, SetStrength
    from gateway.learning.task_evaluation import Contender, Score

QUICK_PROMPTS = 120

train = typer.Typer(help="Build what the router learned, from labelled data.", no_args_is_help=True)
evaluate = typer.Typer(help="Measure how well the router decides.", no_args_is_help=True)

Data = Annotated[
    Path | None,
    typer.Option(help="The folder of the development data: task_dev.jsonl.gz, routing_….jsonl.gz."),
]


@train.callback()
def _train() -> None:
    """Each part by its own command."""


@evaluate.callback()
def _evaluate() -> None:
    """Each part by its own command."""


@train.command("routing")
def train_routing(
    data: Annotated[Path, typer.Argument(help="The folder of the development data.")],
    target: Annotated[
        Path | None, typer.Option(help="Where to write; the gateway's own files, if left out.")
    ] = None,
) -> None:
    """Learn what asks, the task and the need of strength anew; same data, same files.

    It needs numpy and scipy: the dependency group `learn`.

    Example: gateway train routing ../data/routing
    """
    from gateway.learning import asking_training, strength_training, task_training
    from gateway.llm import strength
    from gateway.llm.learned import asking, weights

    folder = target or weights.MODEL_FILE.parent
    folder.mkdir(parents=True, exist_ok=True)
    # The task is learned from the parts that ask, as the gateway's own file tells them.
    asking_training.build(data, folder / asking.MODEL_FILE.name, progress=_say)
    built = task_training.build(data, folder / weights.MODEL_FILE.name, progress=_say)
    _say(f"tasks: {built.features:,} features from {built.prompts:,} prompts")
    file = folder / strength.MODEL_FILE.name
    strength_training.build(data, file, progress=_say)
    _say(f"need of strength: {file.stat().st_size:,} bytes")


@evaluate.command("routing")
def evaluate_routing(
    data: Data = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Score the shipped models only, in seconds.")
    ] = False,
) -> None:
    """Score the classifier and the strong or weak choice beside rules and chance.

    Without data, on the prompts that ship with the gateway and that nothing learned from. With
    data, everything is learned anew without what it is asked, which takes some minutes.

    Example: gateway evaluate routing --data ../data/routing
    """
    from gateway.learning import strength_evaluation, task_evaluation

    tasks = task_evaluation.evaluate(data, sliced=QUICK_PROMPTS if quick else None, progress=_say)
    console = Console()
    console.print(_tasks_table(tasks))
    console.print(_confusion_table(tasks[0]))
    console.print(_pasted_table(tasks))
    if data is None:
        return
    if quick:
        console.print(_slice_table(strength_evaluation.evaluate_slice(data)))
    else:
        _say("learning strength anew, without what is asked")
        console.print(_strength_table(strength_evaluation.evaluate(data)))


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _tasks_table(contenders: "Sequence[Contender]") -> Table:
    table = Table(title="Which task: macro recall, strict and (lenient)")
    for head in (
        "",
        "unseen rows",
        "unseen sources",
        "held out, as typed",
        "accuracy there",
        "changed by edits",
        "p50 ms",
        "p99 ms",
    ):
        table.add_column(head, justify="left" if not head else "right")
    for one in contenders:
        table.add_row(
            one.name,
            _recalls(one.unseen_rows),
            _recalls(one.unseen_sources),
            _recalls(one.held_out),
            f"{one.held_out.accuracy:.3f}",
            f"{one.flip_rate:.3f}",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
        )
    table.caption = "milliseconds are of texts of 4,000 characters, each read for the first time"
    return table


def _recalls(score: "Score | None") -> str:
    return "" if score is None else f"{score.recall:.3f} ({score.lenient_recall:.3f})"


def _confusion_table(learned: "Contender") -> Table:
    """What the prompts are, and what was said of them."""
    counts = learned.held_out.confusion
    tasks = sorted({task for pair in counts for task in pair})
    table = Table(title="Held out: what they are (rows), and what was said (columns)")
    table.add_column("")
    for task in tasks:
        table.add_column(task, justify="right")
    for label in tasks:
        row = [counts.get((label, said), 0) for said in tasks]
        if any(row):
            table.add_row(label, *(str(count or "") for count in row))
    return table


def _pasted_table(contenders: "Sequence[Contender]") -> Table:
    table = Table(title="What is asked in long text: macro recall, strict and (lenient)")
    for head in ("", "before it", "behind it", "in its middle", "about it"):
        table.add_column(head, justify="left" if not head else "right")
    for one in contenders:
        places = (one.around["head"], one.around["tail"], one.around["middle"], one.about)
        table.add_row(one.name, *map(_recalls, places))
    table.caption = (
        "the held out prompts beside 2,000 to 40,000 characters, "
        "and questions that say nothing without what is pasted"
    )
    return table


def _strength_table(sets: "Sequence[SetStrength]") -> Table:
    table = Table(title="Strong or weak: APGR, CPT(50 %), CPT(80 %)")
    for head in ("set", "rows", "ours", "left out", "length", "keyword rules", "random"):
        table.add_column(head, justify="left" if head == "set" else "right")
    for one in sets:
        ways = (one.cross_validated, one.left_out, one.length, one.keywords, one.random)
        table.add_row(one.name, f"{one.rows:,}", *map(_recovered, ways))
    table.caption = (
        "ours has learned from other rows of the set, left out from none of it; "
        "a random router has an APGR of 0.5"
    )
    return table


def _slice_table(slices: "Mapping[str, Recovery]") -> Table:
    table = Table(title="Strong or weak, the shipped model on rows that it learned from")
    for head in ("set", "APGR, CPT(50 %), CPT(80 %)"):
        table.add_column(head)
    for name, one in slices.items():
        table.add_row(name, _recovered(one))
    return table


def _recovered(one: "Recovery") -> str:
    spread = f"±{one.spread:.3f}" if one.spread else ""
    return f"{one.apgr:.3f}{spread}, {one.cpt_half:.2f}, {one.cpt_most:.2f}"

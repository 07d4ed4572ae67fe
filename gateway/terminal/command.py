"""`gateway chat`: its options."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:3001"


def chat(
    message: Annotated[
        str | None, typer.Argument(help="Without one: a chat at a terminal, or the text of a pipe.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A model's ID, or auto, auto:coding, auto:cheap.")
    ] = "auto",
    tools: Annotated[
        str, typer.Option(help="Tools that the model may use: names or patterns, with commas.")
    ] = "*",
    no_tools: Annotated[bool, typer.Option("--no-tools", help="Let it use none.")] = False,
    session: Annotated[
        str | None, typer.Option(help="Go on with the conversation of this name, or begin it.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    url: Annotated[
        str | None, typer.Option(help=f"The gateway to ask; usually {DEFAULT_URL}.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Open a gateway for this chat, so configured.")
    ] = None,
    demo_llm: Annotated[
        bool, typer.Option("--demo-llm", help="Open one with a model that needs no key: a demo.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each thing that happens as a line of JSON.")
    ] = False,
    log_level: Annotated[
        str, typer.Option(help="Of a gateway that is opened: debug, info, warning or error.")
    ] = "error",
) -> None:
    """Ask a model; its answer and each tool that it uses are shown as they come.

    The key of a gateway whose callers have keys is read from GATEWAY_API_KEY. Where no gateway
    answers, one is opened for as long as the chat lasts.

    Example: gateway chat "Create a task to implement user authentication"
    """
    from gateway.terminal.run import Asked, run

    if url and (config or demo_llm):
        raise typer.BadParameter("asks a gateway that runs; --config and --demo-llm open another")
    asked = Asked(
        message=message,
        model=model,
        tools=() if no_tools else tuple(name.strip() for name in tools.split(",") if name.strip()),
        session=session,
        system=system,
        url=url,
        config=config,
        is_demo=demo_llm,
        as_json=as_json,
        log_level=log_level,
    )
    raise typer.Exit(run(asked))

"""`gateway tools`: every tool there is, whose it is, what it may change, and its pin."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.terminal.printable import one_line

LISTING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Listed:
    """`sha256` is of what a model is told; `since` is when it began to be told that."""

    name: str
    origin: str
    effect: str
    description: str
    sha256: str
    since: str


def tools(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="Settings, such as gateway.yaml; or name it in GATEWAY_CONFIG."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the tools of the gateway, of its services and of other MCP servers.

    Each has the beginning of the hash by which it is pinned: when a tool says something else than
    before, the log reports it, and `since` is new here.

    Example: gateway tools --config gateway.yaml
    """
    listed, missing = asyncio.run(_listed(config))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in listed], ensure_ascii=False, indent=2))
    else:
        for line in _lines(listed):
            typer.echo(line)
    for name in missing:
        typer.echo(f"{name} has not been reached; its tools are not known", err=True)


async def _listed(config: Path | None) -> tuple[Sequence[Listed], Sequence[str]]:
    from gateway import caller
    from gateway.app.opening import opened
    from gateway.clock import rfc3339
    from gateway.config.settings import load
    from gateway.tool_pins import Told

    caller.begin(caller.LOCAL)
    async with opened(load(config)) as gateway:
        await gateway.services.discovered(within_seconds=LISTING_SECONDS)
        tools = await gateway.owners.toolbox.tools()
        told = {one.name: Told(one.name, one.description, one.input_schema) for one in tools}
        # Pinned here and now, so that a tool that is new has a pin too.
        await gateway.router.pins.check(list(told.values()))
        pins = await gateway.router.pins.pins()
        listed = [
            Listed(
                one.name,
                one.origin,
                str(one.effect),
                one.description,
                pins[one.name].sha256,
                rfc3339(pins[one.name].since),
            )
            for one in tools
        ]
        return listed, gateway.services.missing()


def _lines(listed: Sequence[Listed]) -> Iterator[str]:
    for one in listed:
        yield f"{one.name}  ({one.origin}, {one.effect})  {one.sha256[:12]} since {one.since}"
        yield f"  {one_line(one.description)[:100]}"

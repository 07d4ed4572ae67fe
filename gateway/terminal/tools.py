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
    """`sha256` is of what is told of it, `since` when that began; ours change with a release."""

    name: str
    origin: str
    effect: str
    description: str
    sha256: str
    since: str | None


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
    from gateway.app.pin_watch import told_of
    from gateway.clock import rfc3339
    from gateway.config.settings import load
    from gateway.tools.tool import OWN

    caller.begin(caller.LOCAL)
    async with opened(load(config)) as gateway:
        await gateway.services.discovered(within_seconds=LISTING_SECONDS)
        tools = await gateway.owners.toolbox.tools()
        # Pinned here and now, so that a tool that is new has a pin too.
        await gateway.router.pins.check([told_of(one) for one in tools if one.origin != OWN])
        pins = await gateway.router.pins.pins()
        since = {name: rfc3339(pin.since) for name, pin in pins.items()}
        listed = [
            Listed(
                one.name,
                one.origin,
                str(one.effect),
                one.description,
                told_of(one).digest,
                since.get(one.name) if one.origin != OWN else None,
            )
            for one in tools
        ]
        return listed, gateway.services.missing()


def _lines(listed: Sequence[Listed]) -> Iterator[str]:
    for one in listed:
        since = f" since {one.since}" if one.since else ""
        yield f"{one.name}  ({one.origin}, {one.effect})  {one.sha256[:12]}{since}"
        yield f"  {one_line(one.description)[:100]}"

"""The command line."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.errors import ConfigurationError, GatewayError
from gateway.garbage import uncollected
from gateway.market.settings import HOST, PORT
from gateway.terminal.agents import agents
from gateway.terminal.benchmark import benchmark
from gateway.terminal.command import chat
from gateway.terminal.learning import evaluate, train
from gateway.terminal.tasks import tasks
from gateway.terminal.tools import tools
from gateway.version import VERSION

if TYPE_CHECKING:
    # Settings take as long to import as all of the help does.
    from gateway.config.settings import Config

# EX_CONFIG: systemd does not start the gateway again for a mistake in its settings.
MISCONFIGURED = 78

cli = typer.Typer(
    help="A gateway between AI clients and live services: search and fetch documents over MCP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings, such as gateway.yaml; or name it in GATEWAY_CONFIG."),
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the tool's answer as JSON.")]
Exchange = Annotated[
    str | None,
    typer.Option(
        help="Where the bundled market provider reads: simulated, binance or testnet.",
    ),
]


@cli.command()
@uncollected()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Where browsers reach it: https://gateway.example.com")
    ] = None,
    exchange: Exchange = None,
    demo_llm: Annotated[
        bool, typer.Option("--demo-llm", help="Add a model provider that needs no key: a demo.")
    ] = False,
    log_level: LogLevel = "info",
) -> None:
    """Start the gateway: SSE at /sse/, Streamable HTTP at /mcp, pages at /.

    Example: gateway serve --public-url https://gateway.example.com
    """
    from gateway.config.process import without_fork_support_of_grpc

    # Before anything imports gRPC.
    without_fork_support_of_grpc()
    from gateway.app.demo import demo_providers
    from gateway.config.settings import load
    from gateway.server import configure_logging, run

    given = {"host": host, "port": port, "public_url": public_url}
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if exchange:
        overrides["market"] = {"exchange": exchange}
    settings = load(config, overrides=overrides)
    configure_logging(log_level)

    def say_ready() -> None:
        for line in _ready_lines(settings, is_demo=demo_llm):
            typer.echo(line)

    run(settings, on_ready=say_ready, more_providers=demo_providers() if demo_llm else None)


@cli.command()
@uncollected()
def stdio(config: ConfigFile = None, log_level: LogLevel = "warning") -> None:
    """Serve one MCP client over standard input and output; it starts this itself.

    It may use all tools and documents, as the owner of this machine. The log goes to standard
    error.

    Example: gateway stdio --config gateway.yaml
    """
    from gateway.config.settings import load
    from gateway.server import configure_logging, run_stdio

    settings = load(config)
    configure_logging(log_level)
    run_stdio(settings)


@cli.command()
def market(
    config: ConfigFile = None,
    exchange: Exchange = None,
    exchange_url: Annotated[
        str | None, typer.Option(help="Any other place that speaks Binance's REST API.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(help="gRPC port.")] = PORT,
    trading: Annotated[
        bool, typer.Option("--trading", help="Offer the tools that trade; needs both keys.")
    ] = False,
    exchange_port: Annotated[
        int | None,
        typer.Option(help="Serve the simulated exchange's own HTTP here instead, without gRPC."),
    ] = None,
    log_level: LogLevel = "info",
) -> None:
    """Start the bundled market provider: gRPC provider.v1 with up to 21 tools.

    Account tools need BINANCE_API_KEY and BINANCE_API_SECRET in the environment.

    Example: gateway market --exchange binance --port 50053
    """
    from gateway.config.settings import load
    from gateway.market.program import run, serve_simulated_exchange
    from gateway.server import configure_logging

    given = {"exchange": exchange, "exchange_url": exchange_url, "trading": trading or None}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = load(config, overrides={"market": overrides} if overrides else None)
    configure_logging(log_level)
    if exchange_port is not None:
        asyncio.run(serve_simulated_exchange(host, exchange_port))
        return
    typer.echo(f"market provider ({settings.market.exchange}) on {host}:{port}")
    asyncio.run(run(settings.market.settings(host=host, port=port)))


@cli.command()
@uncollected()
def search(
    question: Annotated[str, typer.Argument(help="In plain words, such as 'bitcoin price'.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask what the search tool would answer.

    Example: gateway search "is the ETH order book healthy?"
    """
    answer = asyncio.run(_called("search", {"query": question}, config))
    if answer.meta:
        typer.echo(answer.meta["gateway/message"], err=True)
    if as_json:
        typer.echo(json.dumps(answer.content, ensure_ascii=False, indent=2))
        return
    for result in answer.content["results"]:
        typer.echo("\n  ".join(result.values()))
    if not answer.content["results"] and not answer.meta:
        typer.echo("nothing found; try a coin's name: gateway search 'bitcoin price'", err=True)


@cli.command()
@uncollected()
def fetch(
    document_id: Annotated[str, typer.Argument(help="A document's ID, such as ticker:BTCUSDT.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Read one document, as the fetch tool would.

    Example: gateway fetch klines:SOLUSDT:4h
    """
    answer = asyncio.run(_called("fetch", {"id": document_id}, config))
    if as_json:
        typer.echo(json.dumps(answer.content, ensure_ascii=False, indent=2))
        return
    document = answer.content
    typer.echo(f"{document['title']}\n{document['url']}\n\n{document['text']}")


@cli.command()
def documents() -> None:
    """Print the reference of all document IDs; docs/documents.md is its output."""
    from gateway.sources.market.kind import market_kinds
    from gateway.sources.reference import reference

    typer.echo(reference(market_kinds()), nl=False)


@cli.command()
def check(config: ConfigFile = None) -> None:
    """Read the settings, say what they mean, and start nothing.

    Example: gateway check --config infra/config/gateway.yaml
    """
    from gateway.config.explain import explain
    from gateway.config.settings import load

    for line in explain(load(config)):
        typer.echo(line)


cli.command()(chat)
cli.command()(tools)

cli.add_typer(agents, name="agents")
cli.add_typer(benchmark, name="benchmark")
cli.add_typer(evaluate, name="evaluate")
cli.add_typer(train, name="train")
cli.add_typer(tasks, name="tasks")

keys = typer.Typer(help="Keys by which the gateway knows its callers.", no_args_is_help=True)
cli.add_typer(keys, name="keys")


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="Who will use it, such as laptop.")],
) -> None:
    """Make a key, and print it once with the lines for `callers` in gateway.yaml.

    Example: gateway keys new laptop
    """
    from gateway.keys import hashed
    from gateway.keys import new_key as made

    key = made()
    typer.echo(f"{key}\n")
    typer.echo("That is the key; it is kept nowhere. For gateway.yaml:\n", err=True)
    # Quoted, for a hash of digits only would be read as a number.
    typer.echo(f'callers:\n  - name: {name}\n    key_sha256: "{hashed(key)}"')


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(VERSION)


def _ready_lines(settings: "Config", *, is_demo: bool) -> Iterator[str]:
    from gateway.llm.provider.settings import NO_PROVIDER

    if not settings.services and settings.market.exchange == "simulated":
        yield "market data is SIMULATED; for real prices: gateway serve --exchange binance"
    if is_demo:
        yield "answers of demo models are a DEMO: no model is behind them"
    elif not settings.providers:
        yield NO_PROVIDER
    yield f"gateway {VERSION} is ready"
    yield f"  connect ChatGPT or any MCP client to {settings.url}/sse/ or {settings.url}/mcp"
    yield f"  in a browser: {settings.url}/"
    if is_demo or settings.providers:
        key = " -H 'authorization: Bearer YOUR_KEY'" if settings.callers else ""
        yield "  ask a model:"
        yield f'    curl {settings.url}/ask{key} -d \'{{"message": "What can you do?"}}\''


async def _called(tool: str, arguments: dict[str, str], config: Path | None) -> Any:
    from gateway.app.opening import opened
    from gateway.config.settings import load

    async with opened(load(config)) as gateway:
        return await gateway.owners.toolbox.call(tool, arguments)


def main() -> None:
    from gateway.endpoints.problems import plain_words

    try:
        cli()
    except GatewayError as error:
        typer.echo(f"gateway: {plain_words(error)}", err=True)
        sys.exit(MISCONFIGURED if isinstance(error, ConfigurationError) else 1)


if __name__ == "__main__":
    main()

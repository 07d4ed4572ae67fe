"""What GetPrompt writes: a question about live facts, ready to be asked of a model."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import NotFound, PermissionDenied
from gateway.market.arguments import Schema, checked
from gateway.market.market_tool import SYMBOL, Access, input_schema
from gateway.market.pages import balances_page, market_page
from gateway.market.tools import missing
from gateway.market.venue import Venue


@dataclass(frozen=True, slots=True)
class Prompt:
    """`write` gives the one user message; MCP knows no system role."""

    name: str
    access: Access
    description: str
    args_schema: Schema
    write: Callable[[Venue, Mapping[str, Any]], Awaitable[str]]


async def trading_analysis(venue: Venue, arguments: Mapping[str, Any]) -> str:
    page = await market_page(venue, arguments["symbol"])
    return (
        f"Analyse this market for the {arguments['timeframe']} timeframe. Name trend, support, "
        "resistance and liquidity, say what the facts below do not show, and give no "
        f"recommendation to buy or sell that they do not carry.\n\n{page}"
    )


async def portfolio_risk(venue: Venue, arguments: Mapping[str, Any]) -> str:
    page = await balances_page(venue, "")
    return (
        f"Assess the risk of this portfolio for a {arguments['risk_tolerance']} risk tolerance: "
        f"concentration, exposure to single assets, and what is locked in orders.\n\n{page}"
    )


PROMPTS = (
    Prompt(
        "trading-analysis",
        Access.PUBLIC,
        "Analyse a market from its live price and order book.",
        input_schema(
            required=("symbol",),
            symbol=SYMBOL,
            timeframe={"type": "string", "enum": ["1h", "4h", "1d"], "default": "1d"},
        ),
        trading_analysis,
    ),
    Prompt(
        "portfolio-risk",
        Access.ACCOUNT,
        "Assess the risk of the account's balances.",
        input_schema(
            risk_tolerance={
                "type": "string",
                "enum": ["low", "medium", "high"],
                "default": "medium",
            }
        ),
        portfolio_risk,
    ),
)


def offered_prompts(venue: Venue) -> Sequence[Prompt]:
    return [prompt for prompt in PROMPTS if not missing(prompt.access, venue.settings)]


async def write_prompt(venue: Venue, name: str, arguments: object) -> str:
    """Raises:
    NotFound: no prompt has that name.
    PermissionDenied: it needs the keys of an account.
    InvalidRequest: an argument is wrong.
    """
    prompt = next((prompt for prompt in PROMPTS if prompt.name == name), None)
    if prompt is None:
        names = ", ".join(prompt.name for prompt in offered_prompts(venue))
        raise NotFound(f"no prompt is named {name[:60]!r}; there are: {names}")
    lacking = missing(prompt.access, venue.settings)
    if lacking:
        raise PermissionDenied(f"the prompt {name} is switched off: {lacking}")
    return await prompt.write(venue, checked(name, prompt.args_schema, arguments))

"""What ListCapabilities says: the tools, resources and prompts that are switched on."""

import json
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from google.protobuf.message import Message

from gateway.market.market_tool import Access, MarketTool
from gateway.market.prompts import Prompt, offered_prompts
from gateway.market.resources import MIME_TYPE, SCHEME, forms
from gateway.market.settings import MarketSettings
from gateway.market.tools import Tools
from gateway.market.venue import Venue
from gateway.protobuf import provider_protocol

RATE_LIMIT_GROUP = "binance"


def capabilities(venue: Venue, tools: Tools) -> Message:
    settings = venue.settings
    return _message("Capabilities")(
        tools=[_tool(tool, settings) for tool in tools.offered()],
        resources=[
            _message("Resource")(
                uri_scheme=SCHEME,
                description=_labelled(f"Pages at {', '.join(forms(venue))}.", settings),
                mime_type=MIME_TYPE,
            )
        ],
        prompts=[_prompt(prompt, settings) for prompt in offered_prompts(venue)],
        provider_version=gateway_version() + ("+simulated" if settings.is_simulated else ""),
    )


def json_message(value: Any) -> Message:
    """JSON as the contract carries it; numbers that JSON does not know are refused."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _message("Json")(value=text.encode())


@lru_cache(maxsize=1)
def gateway_version() -> str:
    try:
        return version("gateway")
    except PackageNotFoundError:
        return "0"


def _tool(tool: MarketTool, settings: MarketSettings) -> Message:
    return _message("Tool")(
        name=tool.name,
        description=_labelled(tool.description, settings),
        input_schema=json_message(tool.input_schema),
        tags=_tags(tool.access, settings),
        auth_required=tool.access is not Access.PUBLIC,
        stability="stable",
        rate_limit_group=RATE_LIMIT_GROUP,
    )


def _tags(access: Access, settings: MarketSettings) -> list[str]:
    tags = ["destructive" if access is Access.TRADE else "read-only"]
    if access is Access.ACCOUNT:
        tags.append("account")
    if settings.is_simulated:
        tags.append("simulated")
    return tags


def _prompt(prompt: Prompt, settings: MarketSettings) -> Message:
    return _message("Prompt")(
        name=prompt.name,
        description=_labelled(prompt.description, settings),
        args_schema=json_message(prompt.args_schema),
    )


def _labelled(description: str, settings: MarketSettings) -> str:
    return f"Simulated exchange. {description}" if settings.is_simulated else description


def _message(name: str) -> type[Message]:
    return provider_protocol().message(f"provider.v1.{name}")

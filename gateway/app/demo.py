"""The demo provider, for whoever tries the gateway without any key."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.demo_llm.server import DemoLlm
from gateway.llm.provider.settings import ProviderSettings

NAME = "demo"


@asynccontextmanager
async def demo_providers() -> AsyncIterator[Sequence[ProviderSettings]]:
    """A provider that answers until the end of the block, and says that it is a demo."""
    async with DemoLlm() as demo:
        yield [ProviderSettings(NAME, "demo", base_url=demo.base_url)]

"""A benchmark in a process of its own, to be killed: `lonely_run FOLDER BASE_URL`."""

import asyncio
import sys
from datetime import UTC, datetime

from gateway.benchmarks.runner import Benchmarks
from gateway.caller import LOCAL
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.completion import Completion
from gateway.llm.policy import Policy
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings
from gateway.storage.database import Database
from gateway.usage.ledger import Ledger
from tests.benchmarks.worlds import settings


async def main(folder: str, base_url: str) -> None:
    provider = Provider(
        ProviderSettings("openrouter", "openrouter", base_url=base_url, api_key="sk-stand-in")
    )
    catalog = Catalog([ConfiguredProvider("openrouter", "openrouter")])
    async with (
        Database(f"sqlite:///{folder}/gateway.db") as database,
        Ledger(database) as ledger,
        provider,
        Completion(catalog, {"openrouter": provider}, ledger, Policy()) as completion,
        Evidence(database) as evidence,
    ):
        today = datetime.now(UTC).date()
        lists = await provider.listed()
        catalog.learn("openrouter", [DatedListing(one, today) for one in lists])
        benchmarks = Benchmarks(database, completion, catalog, ledger, evidence)
        asked = settings("openrouter/paid-one", attempts=2, parallel=1, budget_microusd=4_300)
        await benchmarks.carry_out(LOCAL, await benchmarks.begin(LOCAL, asked, "lonely"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A whole router over stand-in providers: catalog, providers, ledger and completion, all real."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.approvals import Approvals
from gateway.conversations import Conversations
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.assembly import ConfiguredProvider
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.completion import Completion
from gateway.llm.loop.loop import LoopSettings, ToolLoop
from gateway.llm.policy import Policy
from gateway.llm.provider.provider import Provider
from gateway.llm.provider.settings import ProviderSettings, Timeouts
from gateway.llm.sessions import Sessions
from gateway.storage.database import Database
from gateway.tools.toolbox import Toolbox, ToolSource
from gateway.usage.call import Amount, Call
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.report import UsageLine
from tests.stand_ins.llm.server import LlmStandIn


@dataclass(frozen=True, slots=True)
class Router:
    completion: Completion
    catalog: Catalog
    ledger: Ledger
    providers: dict[str, Provider]
    sessions: Sessions
    approvals: Approvals
    evidence: Evidence

    def loop(self, *sources: ToolSource, settings: LoopSettings | None = None) -> ToolLoop:
        """The loop over one toolbox, which everybody may use."""
        toolbox = Toolbox(sources, on_call=self.ledger.note)
        return ToolLoop(self.completion, lambda _: toolbox, self.approvals, settings)

    async def written(self) -> None:
        """Until the ledger has written what was settled before."""
        call = Call("", "nobody", "", "", "free")
        await self.ledger.release(await self.ledger.reserve(call, Amount(0)))

    async def lines(self, *columns: str) -> Sequence[UsageLine]:
        day = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        return await self.ledger.report(*day, group_by=columns)  # type: ignore[arg-type]

    async def total(self) -> UsageLine:
        return (await self.lines())[0]


@asynccontextmanager
async def router(
    *stand_ins: LlmStandIn,
    database_url: str,
    limits: Sequence[Limit] = (),
    policy: Policy | None = None,
    timeouts: Timeouts | None = None,
) -> AsyncIterator[Router]:
    """Each stand-in is a provider named after its kind; its lists are learned before use."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(database_url))
        ledger = await stack.enter_async_context(Ledger(database, limits))
        catalog = Catalog([ConfiguredProvider(one.kind, one.kind) for one in stand_ins])
        providers = {}
        for one in stand_ins:
            settings = ProviderSettings(
                one.kind,
                one.kind,  # type: ignore[arg-type]
                base_url=one.base_url,
                api_key="sk-stand-in",
                timeouts=timeouts or Timeouts(),
                attempts=1,
            )
            provider = await stack.enter_async_context(Provider(settings))
            listings = await provider.listed()
            today = datetime.now(UTC).date()
            catalog.learn(one.kind, [DatedListing(listing, today) for listing in listings])
            providers[one.kind] = provider
        evidence = await stack.enter_async_context(Evidence(database))
        completion = await stack.enter_async_context(
            Completion(catalog, providers, ledger, policy or Policy(), evidence=evidence)
        )
        sessions = Sessions(Conversations(database), completion)
        approvals = Approvals(database)
        yield Router(completion, catalog, ledger, providers, sessions, approvals, evidence)

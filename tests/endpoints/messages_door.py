"""A client of Anthropic's, the messages door that it uses, and providers behind it, all real."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic
from anthropic.types import Message

from gateway.caller import LOCAL, Caller
from gateway.endpoints.anthropic_messages import messages_routes
from gateway.endpoints.models import model_routes
from gateway.llm.loop.loop import LoopSettings
from gateway.llm.policy import Policy
from gateway.tools.toolbox import ToolSource
from gateway.usage.limit import Limit
from tests.endpoints.doors import open_doors
from tests.llm.routers import Router, router
from tests.stand_ins.llm.account import Offer
from tests.stand_ins.llm.script import Scripted
from tests.stand_ins.llm.server import LlmStandIn

HELLO: Any = [{"role": "user", "content": "Say hello."}]
CLAUDE = "anthropic/claude-sonnet-5-5"
# A model of each kind of provider, which no other has.
MODELS = {
    "anthropic": CLAUDE,
    "openai": "openai/gpt-4.1",
    "nanogpt": "nanogpt/kimi-k2",
    "openrouter": "openrouter/qwen/qwen3-coder",
    "ollama": "ollama/at-home",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A client, the door that it uses, and the providers behind it."""

    client: AsyncAnthropic
    stand_ins: dict[str, LlmStandIn]
    router: Router
    url: str

    @property
    def stand_in(self) -> LlmStandIn:
        """The first one."""
        return next(iter(self.stand_ins.values()))

    def script(self, kind: str, *replies: Scripted) -> None:
        self.stand_ins[kind].script("*", *replies)

    def sent(self, kind: str = "anthropic") -> Any:
        """What the provider of this kind was asked last."""
        return self.stand_ins[kind].requests[-1].body

    async def ask(self, **options: Any) -> Message:
        asked: dict[str, Any] = {
            "model": next(iter(MODELS[kind] for kind in self.stand_ins)),
            "max_tokens": 1024,
            "messages": HELLO,
            **options,
        }
        answer = await self.client.messages.create(**asked)
        assert isinstance(answer, Message)
        return answer


@asynccontextmanager
async def opened(
    folder: Path,
    *kinds: str,
    limits: Sequence[Limit] = (),
    keyless: Caller = LOCAL,
    keepalive_seconds: float = 15,
    policy: Policy | None = None,
    max_retries: int = 0,
    grace_seconds: int = 1,
    tools: Sequence[ToolSource] = (),
    settings: LoopSettings | None = None,
) -> AsyncIterator[Door]:
    database = f"sqlite:///{folder}/gateway.db"
    async with AsyncExitStack() as stack:
        stand_ins = {
            kind: await stack.enter_async_context(LlmStandIn(kind, offers=_offers(kind)))
            for kind in kinds or ("anthropic",)
        }
        behind = router(*stand_ins.values(), database_url=database, limits=limits, policy=policy)
        routed = await stack.enter_async_context(behind)
        loop = routed.loop(*tools, settings=settings)
        routes = [
            *messages_routes(loop, keepalive_seconds=keepalive_seconds),
            *model_routes(routed.catalog),
        ]
        doors = open_doors(routes, keyless=keyless, grace_seconds=grace_seconds)
        url = await stack.enter_async_context(doors)
        client = AsyncAnthropic(base_url=url, api_key="any", max_retries=max_retries, timeout=10)
        await stack.enter_async_context(client)
        yield Door(client, stand_ins, routed, url)


def _offers(kind: str) -> Sequence[Offer]:
    return [Offer(MODELS[kind].partition("/")[2], has_vision=True)]

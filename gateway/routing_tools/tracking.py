"""Forgets what was kept and measured of OpenRouter's models, and asks for its list anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.errors import Refused
from gateway.evidence.evidence import Evidence
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.catalog.kept_lists import KeptLists
from gateway.llm.provider.provider import Provider

logger = logging.getLogger(__name__)

KIND = "openrouter"


@dataclass(frozen=True, slots=True)
class Cleared:
    """`lists` and `evidence` count what is gone; `came` says whether the list came anew."""

    providers: tuple[str, ...]
    lists: int
    paces: int
    evidence: int
    came: bool


class Tracking:
    """What is known of OpenRouter's models beyond the embedded catalog.

    `ask` asks one provider for its list, and tells whether it came; until it does, the list in
    memory goes on serving. `forget_pace` drops how fast a provider's models were, and which of
    them are left alone for now.
    """

    def __init__(
        self,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        *,
        kept: KeptLists,
        evidence: Evidence,
        ask: Callable[[str], Awaitable[bool]],
        forget_pace: Callable[[Provider], None],
    ) -> None:
        self._catalog = catalog
        self._providers = {name: one for name, one in providers.items() if one.kind == KIND}
        self._kept = kept
        self._evidence = evidence
        self._ask = ask
        self._forget_pace = forget_pace

    async def clear(self) -> Cleared:
        """Raises:
        Refused: no provider is OpenRouter's.
        Unavailable: the database does not answer; lists and paces may be forgotten already.
        """
        if not self._providers:
            raise Refused("no OpenRouter is configured: set OPENROUTER_API_KEY")
        lists = paces = 0
        for name, provider in self._providers.items():
            lists += await asyncio.to_thread(self._forget_lists, name)
            paces += len(list(provider.paces()))
            self._forget_pace(provider)
        evidence = await self._evidence.forget(self._models())
        came = all(await asyncio.gather(*map(self._ask, self._providers)))
        logger.info("cleared the tracking of openrouter: lists=%d evidence=%d", lists, evidence)
        return Cleared(tuple(self._providers), lists, paces, evidence, came)

    def _forget_lists(self, provider: str) -> int:
        count = len(self._kept.read(provider))
        self._kept.write(provider, [])
        return count

    def _models(self) -> list[str]:
        """All that something may have been seen of, though no list names them any more."""
        known = {one.id for one in self._catalog.models if one.provider in self._providers}
        seen = {one for one in self._evidence.everything if self._is_of_provider(one)}
        return sorted(known | seen)

    def _is_of_provider(self, model_id: str) -> bool:
        return model_id.partition("/")[0] in self._providers

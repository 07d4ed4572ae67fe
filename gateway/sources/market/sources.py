"""All that can be found about markets: the declared documents, and the words that name them."""

from collections.abc import Sequence

from gateway.clock import Clock, now
from gateway.documents.freshness import Freshness
from gateway.documents.query import Lexicon
from gateway.documents.source import DocumentSource
from gateway.downstream.provider import Provider
from gateway.sources.market.coins import coins
from gateway.sources.market.intervals import IntervalLexicon
from gateway.sources.market.kind import market_kinds
from gateway.sources.market.report import ReportReader
from gateway.sources.market.source import MarketSource
from gateway.sources.market.symbols import SymbolLexicon
from gateway.sources.market.tool_reader import ToolReader
from gateway.sources.market.universe import MarketUniverse


class MarketSources:
    """One source for each kind that `kinds.yaml` declares, over one provider."""

    def __init__(
        self,
        provider: Provider,
        universe: MarketUniverse,
        freshness: Freshness,
        *,
        clock: Clock = now,
    ) -> None:
        kinds = market_kinds()
        plain = [
            MarketSource(kind, universe, ToolReader(kind, provider, clock=clock))
            for kind in kinds
            if kind.tool
        ]
        reports = [
            MarketSource(kind, universe, ReportReader(kind, plain, freshness))
            for kind in kinds
            if kind.parts
        ]
        phrases = [phrase for kind in kinds for phrase in kind.phrases]
        self.documents: Sequence[DocumentSource] = (*plain, *reports)
        self.lexicons: Sequence[Lexicon] = (
            SymbolLexicon(universe, coins(), phrases),
            IntervalLexicon(),
        )

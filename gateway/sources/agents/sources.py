"""All that can be found about agents: how they are, what they did, and what happened."""

from collections.abc import Sequence

from gateway.agents.agents import Agents
from gateway.clock import Clock, now
from gateway.documents.query import Lexicon
from gateway.documents.source import DocumentSource
from gateway.sources.agents.agent import AgentSource
from gateway.sources.agents.event import EventSource
from gateway.sources.agents.reader import AgentLexicon, AgentReader, ExceptOfAgents
from gateway.sources.agents.run import RunSource
from gateway.sources.router_reader import RouterReader
from gateway.usage.ledger import Ledger

# What the reference of documents tells of each kind.
KINDS = (AgentSource, RunSource, EventSource)


class AgentSources:
    """For owners alone, where agents are on; others are told only that they are none."""

    def __init__(
        self, agents: Agents, ledger: Ledger, reader: RouterReader, *, clock: Clock = now
    ) -> None:
        self._reader = AgentReader(reader, lambda: [one.name for one in agents.known()])
        self.documents: Sequence[DocumentSource] = (
            AgentSource(agents, ledger, self._reader, clock=clock),
            RunSource(agents, self._reader, clock=clock),
            EventSource(agents, self._reader, clock=clock),
        )

    def lexicons(self, others: Sequence[Lexicon], *, is_owner: bool) -> Sequence[Lexicon]:
        """Ours, and those of other sources, which questions about agents do not concern."""
        ours = AgentLexicon(self._reader, is_owner=is_owner)
        return (ours, *(ExceptOfAgents(one, self._reader) for one in others))

"""Reads each question about agents once, and keeps other lexicons from those that are."""

from collections.abc import Callable, Sequence

from gateway.documents.query import Lexicon, Mention, Reading, Word
from gateway.sources.agents.question import AgentQuestion
from gateway.sources.router_reader import RouterReader

# The field of a mention, as the router's topics have their own.
TOPIC = "agent topic"
FOR_OWNERS = "What agents do and did is told to the owner's keys only."
_UNKNOWN = "No agent that is on is named {name!r}; there are: {names}."


class AgentReader:
    """`names` are those of the agents that are on."""

    def __init__(self, reader: RouterReader, names: Callable[[], Sequence[str]]) -> None:
        self._reader = reader
        self._names = names
        self._last: tuple[object, AgentQuestion] | None = None

    def read(self, words: Sequence[Word]) -> AgentQuestion:
        # All lexicons and sources ask about one question, one after the other.
        router = self._reader.read(words)
        if self._last is None or self._last[0] is not router:
            self._last = (router, AgentQuestion(router, self._names()))
        return self._last[1]

    def unknown(self, question: AgentQuestion) -> Sequence[str]:
        """What a person is told who names an agent that there is not."""
        if not question.is_unknown or not question.topics:
            return ()
        names = ", ".join(self._names()) or "none"
        return [_UNKNOWN.format(name=question.agents[0][:40], names=names)]


class AgentLexicon:
    """Knows which documents of agents a question asks for: its topics."""

    def __init__(self, reader: AgentReader, *, is_owner: bool) -> None:
        self._reader = reader
        self._is_owner = is_owner

    def read(self, words: Sequence[Word]) -> Reading:
        question = self._reader.read(words)
        if not question.topics:
            return Reading()
        if not self._is_owner:
            return Reading((), [FOR_OWNERS])
        # No word alone names a topic: it spans none.
        mentions = [Mention(TOPIC, topic, 0, 0) for topic in sorted(question.topics)]
        return Reading(mentions, self._reader.unknown(question))


class ExceptOfAgents:
    """Keeps a lexicon from questions about agents, where `review` and `near` are no coins."""

    def __init__(self, lexicon: Lexicon, reader: AgentReader) -> None:
        self._lexicon = lexicon
        self._reader = reader

    def read(self, words: Sequence[Word]) -> Reading:
        return Reading() if self._reader.read(words).topics else self._lexicon.read(words)

"""What a client sees of a model's chunks while the gateway answers some of its tool calls."""

from collections.abc import Iterator
from dataclasses import replace

from gateway.llm.loop.offered import Offered
from gateway.llm.messages import Chunk, FinishReason, ToolCallDelta


class Showing:
    """Hides the calls that the gateway answers itself, and holds the finish reason back.

    `finish_reason` is the one that the model gave in this round. While it `holds_text`, a round's
    text is told at its end, and only if it is the last.
    """

    def __init__(self, offered: Offered) -> None:
        self.finish_reason: FinishReason | None = None
        self.holds_text = False
        self._held: list[Chunk] = []
        self._offered = offered
        self._is_ours: dict[int, bool] = {}
        self._numbers: dict[int, int] = {}
        self._unnamed: dict[int, list[ToolCallDelta]] = {}
        self._has_text = False
        self._needs_space = False

    @property
    def goes_on(self) -> bool:
        """Whether the round has ended in calls that are all ours."""
        ours = self._is_ours.values()
        return self.finish_reason == "tool_calls" and bool(ours) and all(ours)

    def next_round(self) -> None:
        self.finish_reason = None
        self._is_ours.clear()
        self._numbers.clear()
        self._unnamed.clear()
        self._held.clear()
        self._needs_space = self._has_text

    def shown(self, chunk: Chunk) -> Iterator[Chunk]:
        """The chunk, as far as it is for the client."""
        self.finish_reason = chunk.finish_reason or self.finish_reason
        calls = tuple(self._theirs(chunk)) if chunk.tool_calls else ()
        if calls != chunk.tool_calls or chunk.finish_reason:
            chunk = replace(chunk, tool_calls=calls, finish_reason=None)
        if self.holds_text and (chunk.text or chunk.logprobs):
            self._held.append(Chunk(chunk.text, logprobs=chunk.logprobs))
            chunk = replace(chunk, text="", logprobs=None)
        if chunk.text:
            chunk = self._spaced(chunk)
        if chunk.says_something or chunk.extra or chunk.logprobs or chunk.usage or chunk.frame:
            yield chunk

    def rest(self, finish_reason: FinishReason | None) -> Iterator[Chunk]:
        """The end of the whole answer."""
        yield from self._held
        if finish_reason is not None:
            yield Chunk(finish_reason=finish_reason)

    def _theirs(self, chunk: Chunk) -> Iterator[ToolCallDelta]:
        """A call whose name is not known yet waits for it."""
        for delta in chunk.tool_calls:
            held = self._unnamed.pop(delta.index, [])
            pieces = [*held, delta]
            if delta.index not in self._is_ours:
                name = next((piece.name for piece in pieces if piece.name), None)
                if name is None:
                    self._unnamed[delta.index] = pieces
                    continue
                self._is_ours[delta.index] = self._offered.is_ours(name)
            if not self._is_ours[delta.index]:
                number = self._numbers.setdefault(delta.index, len(self._numbers))
                yield from (replace(piece, index=number) for piece in pieces)

    def _spaced(self, chunk: Chunk) -> Chunk:
        """Texts of two rounds are two paragraphs."""
        is_apart = chunk.text[0].isspace()
        if self._needs_space and not is_apart:
            chunk = replace(chunk, text=f"\n\n{chunk.text}")
        self._needs_space, self._has_text = False, True
        return chunk

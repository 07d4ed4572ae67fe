"""Characters that a provider cut in half, put together again.

JSON writes an emoji as two escapes, and some providers send one of them in each of two pieces.
"""

import re
from collections.abc import Hashable
from dataclasses import replace

from gateway.llm.messages import Chunk

_HALF = re.compile(r"[\ud800-\udfff]")


class WholeCharacters:
    """Mends the pieces of one answer; those of an answer without half characters as they are."""

    def __init__(self) -> None:
        self._is_needed = False
        self._held: dict[Hashable, str] = {}

    def look_out(self, frame: str) -> None:
        """Whether this JSON has escapes that may be halves."""
        self._is_needed = self._is_needed or "\\ud" in frame or "\\uD" in frame

    def mended(self, chunk: Chunk) -> Chunk:
        if not self._is_needed:
            return chunk
        text = self._whole((chunk.choice, "text"), chunk.text)
        if chunk.finish_reason and self._held.pop((chunk.choice, "text"), ""):
            text += "\ufffd"
        reasoning = tuple(
            replace(block, text=self._whole((chunk.choice, "reasoning"), block.text))
            for block in chunk.reasoning
        )
        calls = tuple(
            replace(call, arguments=self._whole((chunk.choice, call.index), call.arguments))
            for call in chunk.tool_calls
        )
        return replace(chunk, text=text, reasoning=reasoning, tool_calls=calls)

    def _whole(self, key: Hashable, text: str) -> str:
        """The text with what was held before it; a half at its end is held for the next."""
        if not text:
            return text
        text = self._held.pop(key, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._held[key] = text[-1]
            text = text[:-1]
        if not _HALF.search(text):
            return text
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

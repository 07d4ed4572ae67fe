"""What a dialect is: a provider's JSON into our messages and back, without any input or output."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from gateway.errors import BadAnswer, GatewayError
from gateway.llm.dialects.characters import WholeCharacters
from gateway.llm.event_stream import Event, Splitter
from gateway.llm.messages import ChatRequest, Chunk
from gateway.llm.model import Model


class Dialect(Protocol):
    """The JSON that a kind of provider speaks; `path` is what follows its base address."""

    path: str

    def encode(self, request: ChatRequest, model: Model) -> dict[str, Any]:
        """The body that asks for a stream.

        Write it with `json.dumps(…).encode("utf-8", "replace")`: a caller's text may hold half
        characters, which UTF-8 cannot.

        Raises:
            InvalidRequest: this kind of provider cannot be asked that.
        """
        ...

    def decoder(self) -> "Decoder":
        """A new one for each answer."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """What an answer with an HTTP status from 400 on means."""
        ...


class Reader(Protocol):
    """What a dialect makes of each event; `is_done` from the answer's proper end on."""

    is_done: bool

    def read(self, event: Event) -> Iterator[Chunk]: ...

    def end(self) -> None:
        """Raises `BadAnswer` if what was read is no whole answer."""
        ...


class Decoder:
    """The pieces of one answer, out of its bytes.

    Feed it all bytes and then `end()` it. From `is_done` on nothing more will come: reading can
    stop. What was said before an error inside the stream is given first, and the error is raised
    by the next call.

    Raises:
        GatewayError: the provider reports an error inside its stream.
        BadAnswer: the stream is nonsense, or ends before its end.
    """

    def __init__(self, splitter: Splitter, reader: Reader) -> None:
        self._splitter = splitter
        self._reader = reader
        self._characters = WholeCharacters()
        self._error: GatewayError | None = None

    @property
    def is_done(self) -> bool:
        return self._error is not None or self._reader.is_done

    def feed(self, data: bytes) -> list[Chunk]:
        if self._error is not None:
            raise self._error
        chunks: list[Chunk] = []
        try:
            self._read(self._splitter.feed(data), chunks)
        except GatewayError as error:
            self._error = error
            if not chunks:
                raise
        return chunks

    def end(self) -> list[Chunk]:
        if self._error is not None:
            raise self._error
        chunks: list[Chunk] = []
        if not self._reader.is_done:
            self._read(self._splitter.end(), chunks)
        self._reader.end()
        return chunks

    def _read(self, events: list[Event], chunks: list[Chunk]) -> None:
        for event in events:
            if self._reader.is_done:
                return
            self._characters.look_out(event.data)
            try:
                for chunk in self._reader.read(event):
                    chunks.append(self._characters.mended(_sound(chunk)))  # noqa: PERF401 - may raise
            except json.JSONDecodeError as error:
                raise BadAnswer(
                    "the provider's answer is not JSON, or it broke off in the middle"
                ) from error
            except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
                raise BadAnswer(
                    "the provider's answer is not of the shape that its API documents"
                ) from error


def _sound(chunk: Chunk) -> Chunk:
    """What is called text is text: a provider's mistake ends here, and not where it is joined."""
    texts: list[object] = [chunk.text, chunk.refusal, chunk.model]
    for block in chunk.reasoning:
        texts += (block.text, block.signature, block.redacted)
    for call in chunk.tool_calls:
        texts += (call.id, call.name, call.arguments)
    for text in texts:
        if text is not None and not isinstance(text, str):
            raise TypeError("a text is no text")
    if chunk.logprobs is not None and not isinstance(chunk.logprobs, Mapping):
        raise TypeError("logprobs are no object")
    return chunk

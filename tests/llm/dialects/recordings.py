"""Streams as the providers document them, and ways to feed them to a dialect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.llm.dialects.anthropic import dialect as anthropic
from gateway.llm.dialects.dialect import Dialect
from gateway.llm.dialects.ollama import dialect as ollama
from gateway.llm.dialects.openai import dialect as openai
from gateway.llm.gathering import Gathering
from gateway.llm.messages import Chunk

RECORDED = Path(__file__).parent / "recorded"
FILES = sorted(file.stem for file in RECORDED.glob("*.txt"))
NOW = datetime(2025, 11, 21, 4, 40, tzinfo=UTC)  # 1763700000 seconds since 1970


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.txt").read_bytes()


def dialect_of(name: str) -> Dialect:
    kind = name.partition("_")[0]
    if kind == "anthropic":
        return anthropic.Dialect(now=lambda: NOW)
    if kind == "ollama":
        return ollama.Dialect(now=lambda: NOW)
    return openai.Dialect(kind, now=lambda: NOW)  # type: ignore[arg-type] # the kinds name the files


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def decoded(dialect: Dialect, data: bytes, *, size: int | None = None) -> Iterator[Chunk]:
    """All chunks, until an error of the stream is raised."""
    decoder = dialect.decoder()
    for piece in pieces(data, size or len(data) or 1):
        yield from decoder.feed(piece)
    yield from decoder.end()


def gathered(name: str, *, size: int | None = None) -> Gathering:
    gathering = Gathering()
    for chunk in decoded(dialect_of(name), recorded(name), size=size):
        gathering.add(chunk)
    return gathering

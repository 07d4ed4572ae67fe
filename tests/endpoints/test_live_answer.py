"""An error of a live answer is told once, wherever it comes from, or else the log has it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest
from starlette.types import Message

from gateway.endpoints.live_answer import LiveAnswer
from gateway.endpoints.live_stream import LiveStream
from gateway.endpoints.openai_problems import openai_refusal
from gateway.errors import GatewayError, NotFound


def _error_events(error: GatewayError) -> Iterator[bytes]:
    yield f"data: {type(error).__name__}\n\n".encode()


async def answered(write: Callable[[LiveStream], Awaitable[None]]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    answer = LiveAnswer(write, refuse=openai_refusal, keepalive_seconds=60)
    async with asyncio.timeout(5):
        await answer({"type": "http"}, receive, send)
    return sent


def spoken(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


async def test_an_error_before_the_stream_has_a_status_of_its_own() -> None:
    async def write(_: LiveStream) -> None:
        raise NotFound("no such task", what="task")

    sent = await answered(write)
    assert [sent[0]["status"], len(sent)] == [404, 2]
    assert b"task_not_found" in spoken(sent)


@pytest.mark.parametrize("error", [NotFound("gone"), KeyError("lost")])
async def test_an_error_in_the_stream_is_told_there_and_nowhere_else(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(stream: LiveStream) -> None:
        async with stream.open({}), stream.telling(_error_events):
            raise error

    sent = await answered(write)
    told = b"GatewayError" if isinstance(error, KeyError) else b"NotFound"
    assert spoken(sent) == b"data: " + told + b"\n\n"
    # What nobody expected is in the log, once.
    logged = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(logged) == isinstance(error, KeyError)


async def test_an_error_after_the_stream_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def write(stream: LiveStream) -> None:
        async with stream.open({}), stream.telling(_error_events):
            await stream.write(b"data: all\n\n")
        raise KeyError("lost while it was closed")

    sent = await answered(write)
    assert spoken(sent) == b"data: all\n\n"
    [record] = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)

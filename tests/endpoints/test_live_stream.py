"""A stream says that it is there while nothing happens, and ends for readers that read nothing."""

import asyncio

import pytest
from starlette.types import Message

from gateway.endpoints.live_stream import LiveStream


@pytest.mark.parametrize("words", [0, 1])
async def test_a_reader_that_takes_nothing_does_not_hold_the_stream_for_ever(words: int) -> None:
    never = asyncio.Event()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            await never.wait()

    async def speak() -> None:
        stream = LiveStream(send, keepalive_seconds=0.01, stuck_seconds=0.02)
        async with stream.open({}):
            for _ in range(words):
                await stream.write(b"data: one\n\n")
            # Without words it is the keep-alive that nobody takes.
            await never.wait()

    speaking = asyncio.create_task(speak())
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await speaking
    assert next(message["type"] for message in sent) == "http.response.start"


async def test_silence_is_filled_with_comments() -> None:
    heard = asyncio.Event()

    async def send(message: Message) -> None:
        if message.get("body", b"").startswith(b":"):
            heard.set()

    stream = LiveStream(send, keepalive_seconds=0.01)
    async with asyncio.timeout(5), stream.open({}):
        await heard.wait()

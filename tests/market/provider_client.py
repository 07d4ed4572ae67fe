"""A gRPC client of the market provider, as a stranger would write it from the `.proto`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from gateway.clock import Clock, now
from gateway.market.program import MarketProgram
from gateway.market.settings import MarketSettings
from gateway.protobuf import provider_protocol


class ProviderClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    async def capabilities(self) -> Any:
        empty = provider_protocol().message("google.protobuf.Empty")
        return await self._call("ListCapabilities", "Capabilities")(empty())

    async def names(self) -> list[str]:
        return [tool.name for tool in (await self.capabilities()).tools]

    async def invoke(self, tool: str, **arguments: Any) -> Any:
        """The tool's JSON; a failure is a `grpc.aio.AioRpcError`."""
        return await self.invoke_with(tool, json.dumps(arguments).encode())

    async def invoke_with(self, tool: str, payload: bytes) -> Any:
        request = _message("InvokeRequest")(
            tool_name=tool, payload=_message("Json")(value=payload), correlation_id="a-test"
        )
        answer = await self._call("Invoke", "InvokeResponse")(request, timeout=20)
        return json.loads(answer.result.value)

    async def read(self, uri: str) -> str:
        answer = await self._call("ReadResource", "ResourceResponse")(
            _message("ResourceRequest")(uri=uri)
        )
        assert answer.mime_type == "text/markdown"
        return str(answer.content.decode())

    async def prompt(self, name: str, **arguments: Any) -> list[Any]:
        request = _message("PromptRequest")(
            prompt_name=name,
            arguments=_message("Json")(value=json.dumps(arguments).encode()),
        )
        return list((await self._call("GetPrompt", "PromptResponse")(request)).messages)

    def _call(self, method: str, answer: str) -> Any:
        return self.channel.unary_unary(
            f"/provider.v1.Provider/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=_message(answer).FromString,
        )


@asynccontextmanager
async def provider(clock: Clock = now, **settings: Any) -> AsyncIterator[ProviderClient]:
    """A provider on a free port, and a client that talks to it."""
    async with (
        MarketProgram(MarketSettings(port=0, **settings), clock=clock) as program,
        grpc.aio.insecure_channel(program.address) as channel,
    ):
        yield ProviderClient(channel)


def _message(name: str) -> Any:
    return provider_protocol().message(f"provider.v1.{name}")

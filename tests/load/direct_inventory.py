"""Items of the demonstration inventory, asked for without a gateway, as a peer in a benchmark.

    python -m tests.load.direct_inventory ADDRESS PORT

The program is FastMCP's own server, with one tool that asks the inventory at ADDRESS.
"""

import sys
from typing import Any

import grpc.aio
import uvicorn
from google.protobuf.json_format import MessageToDict

from tests.stand_ins.inventory import SERVICE, protocol


class DirectInventory:
    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._request = protocol().message("inventory.v1.GetItemRequest")
        self._get_item = self._channel.unary_unary(
            f"/{SERVICE}/GetItem",
            request_serializer=self._request.SerializeToString,
            response_deserializer=protocol().message("inventory.v1.Item").FromString,
        )

    async def item(self, sku: str) -> Any:
        return await self._get_item(self._request(sku=sku), timeout=5)

    async def close(self) -> None:
        await self._channel.close()


def peer(address: str) -> Any:
    # It takes long to import, and whoever only asks directly does without.
    from fastmcp import FastMCP

    mcp = FastMCP("bare")
    inventory: list[DirectInventory] = []

    @mcp.tool
    async def get_item(sku: str) -> dict[str, Any]:
        """One item of the warehouse."""
        # Made here, because a channel belongs to the loop that runs.
        if not inventory:
            inventory.append(DirectInventory(address))
        return MessageToDict(await inventory[0].item(sku))

    return mcp.http_app(path="/mcp", stateless_http=True, json_response=True)


if __name__ == "__main__":
    uvicorn.run(peer(sys.argv[1]), port=int(sys.argv[2]), log_level="warning", access_log=False)

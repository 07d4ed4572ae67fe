"""A demonstration warehouse behind gRPC, whose proto says what the gateway shows of it.

Runs by itself too: `python -m tests.stand_ins.inventory --port 50061`.
"""

import argparse
import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import grpc
from google.protobuf.message import Message

from gateway.clock import Clock, now
from gateway.protobuf import Protocol
from tests.stand_ins.grpc_server import (
    PROTOS,
    Context,
    GrpcServer,
    Many,
    One,
    compiled,
    without_comments,
)

PROTO = PROTOS / "inventory.proto"
SERVICE = "inventory.v1.Inventory"
KEY = "idempotency-key"  # in the metadata of a call, as docs/extend.md says


@dataclass(frozen=True, slots=True)
class Item:
    sku: str
    name: str
    count: int
    price: float
    place: str
    deliveries: tuple[tuple[str, int], ...] = ()
    # What came in and went out lately.
    changes: tuple[int, ...] = (40, -3, -5, 12, -2)


ITEMS = (
    Item("WIDGET-BLUE", "Blue widget", 1_204, 2.5, "A-01", (("2026-11-24", 500),)),
    Item("WIDGET-RED", "Red widget", 37, 2.5, "A-02"),
    Item(
        "GIZMO-XL", "Gizmo, extra large", 0, 19.9, "B-17", (("2026-12-01", 20), ("2027-01-05", 8))
    ),
    Item("BOLT-M6", "Bolt M6", 88_000, 0.04, "C-03"),
    Item("LAMP-7", "Desk lamp", 12, 34.0, "B-02"),
)


@dataclass(slots=True)
class Inventory:
    """What lies in the warehouse: tests change it, and break it."""

    items: dict[str, Item] = field(default_factory=lambda: {item.sku: item for item in ITEMS})
    reservations: dict[str, Message] = field(default_factory=dict)
    # What was reserved under which key, and what had been asked for.
    done: dict[str, tuple[Message, Message]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    failure: grpc.StatusCode | None = None
    # Of a stream so many messages come at once; the next one waits until it may go on.
    pauses_after: int | None = None
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    # What is reserved is told only then.
    may_tell: asyncio.Event = field(default_factory=asyncio.Event)
    has_reserved: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = now

    def __post_init__(self) -> None:
        self.may_answer.set()
        self.may_tell.set()

    def message(self, name: str, /, **fields: Any) -> Message:
        return protocol().message(f"inventory.v1.{name}")(**fields)

    async def list_items(self, _: Any, context: Context) -> Message:
        await self._begin("ListItems", context)
        listed = [self._item(item) for item in self.items.values()]
        return self.message("ListItemsResponse", items=listed)

    async def get_item(self, request: Any, context: Context) -> Message:
        await self._begin("GetItem", context)
        return self._item(await self._known(request.sku, context))

    async def get_reservation(self, request: Any, context: Context) -> Message:
        await self._begin("GetReservation", context)
        if request.number not in self.reservations:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no reservation {request.number!r}")
        return self.reservations[request.number]

    async def stock_movements(self, request: Any, context: Context) -> AsyncIterator[Message]:
        await self._begin("StockMovements", context)
        item = await self._known(request.sku, context)
        count = item.count - sum(item.changes)
        for number, change in enumerate(item.changes):
            if number == self.pauses_after:
                await self.may_go_on.wait()
            count += change
            yield self.message(
                "Movement", at=self.clock(), change=change, count_after=count, place=item.place
            )

    async def reserve_items(self, request: Any, context: Context) -> Message:
        await self._begin("ReserveItems", context)
        key = dict(context.invocation_metadata() or ()).get(KEY)
        if key in self.done:
            return await self._done_before(key, request, context)
        item = await self._known(request.sku, context)
        if request.count <= 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "count must be above 0")
        if request.count > item.count:
            reason = f"only {item.count} of {item.sku} are left"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
        reserved = self.reserve(
            item.sku, request.count, customer=request.customer, note=request.note
        )
        if key and isinstance(key, str):
            # Kept with the work, before anybody waits: a second call may already be there.
            self.done[key] = request, reserved
        self.has_reserved.set()
        await self.may_tell.wait()
        return reserved

    async def _done_before(self, key: str, request: Any, context: Context) -> Message:
        asked, reserved = self.done[key]
        if asked != request:
            reason = "this idempotency-key is that of another reservation"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        return reserved

    def reserve(self, sku: str, count: int, *, customer: str, note: str = "") -> Message:
        """What `ReserveItems` does once all is checked."""
        number = f"R-{len(self.reservations) + 1}"
        self.reservations[number] = self.message(
            "Reservation",
            number=number,
            sku=sku,
            count=count,
            customer=customer,
            note=note,
            updated_at=self.clock(),
            simulated=True,
        )
        return self.reservations[number]

    async def _begin(self, method: str, context: Context) -> None:
        self.calls[method] += 1
        await self.may_answer.wait()
        if self.failure:
            await context.abort(self.failure, "the warehouse is closed")

    async def _known(self, sku: str, context: Context) -> Item:
        if sku not in self.items:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no item {sku!r}")
        return self.items[sku]

    def _item(self, item: Item) -> Message:
        deliveries = [{"day": day, "count": count} for day, count in item.deliveries]
        return self.message(
            "Item",
            sku=item.sku,
            name=item.name,
            count=item.count,
            price={"amount": item.price, "currency": "EUR"},
            place=item.place,
            deliveries=deliveries,
            updated_at=self.clock(),
            simulated=True,
        )


class InventoryServer(GrpcServer):
    """Serves a warehouse, with reflection."""

    def __init__(self, inventory: Inventory | None = None, *, port: int = 0) -> None:
        self.inventory = inventory or Inventory()
        behaviours: dict[str, One | Many] = {
            "ListItems": self.inventory.list_items,
            "GetItem": self.inventory.get_item,
            "GetReservation": self.inventory.get_reservation,
            "StockMovements": self.inventory.stock_movements,
            "ReserveItems": self.inventory.reserve_items,
        }
        super().__init__(
            without_comments(compiled(PROTO.name)),
            {f"/{SERVICE}/{name}": behaviour for name, behaviour in behaviours.items()},
        )
        self.port = port or self.port
        self.address = f"127.0.0.1:{self.port}"


@lru_cache(maxsize=1)
def protocol() -> Protocol:
    return Protocol(compiled(PROTO.name))


async def _serve(port: int) -> None:
    async with InventoryServer(port=port) as server:
        print(f"a demonstration inventory on {server.address}", flush=True)  # noqa: T201 - a program
        await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="A demonstration warehouse behind gRPC.")
    arguments.add_argument("--port", type=int, default=50061)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments.parse_args().port))

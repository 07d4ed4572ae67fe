from collections.abc import AsyncIterator

import pytest

from tests.sources.grpc.warehouse import Warehouse, warehouse_of
from tests.stand_ins.inventory import InventoryServer


@pytest.fixture
async def warehouse() -> AsyncIterator[Warehouse]:
    async with warehouse_of(InventoryServer()) as one:
        yield one

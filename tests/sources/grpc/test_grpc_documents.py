import asyncio
import logging
from datetime import UTC, datetime

import grpc
import pytest

from gateway.documents.registry import SearchSettings
from gateway.downstream.grpc.methods import MethodExposure, Saying
from gateway.errors import NotFound, Unavailable
from tests.sources.grpc.warehouse import Warehouse, warehouse_of
from tests.stand_ins.inventory import Inventory, InventoryServer, Item

GET_ITEM = "inventory.v1.Inventory.GetItem"


def said_of_items(**document: object) -> MethodExposure:
    """What a configuration says of a method beyond its proto."""
    return MethodExposure(sayings={GET_ITEM: Saying(document=document)})


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("how many blue widgets are left", ["item:WIDGET-BLUE"]),
        ("item:WIDGET-RED", ["item:WIDGET-RED"]),
        ("widget-red", ["item:WIDGET-RED"]),
        ("do we still have gizmos in the warehouse", ["item:GIZMO-XL"]),
        ("thermometer in stock", []),
        ("blue wigdet", ["item:WIDGET-BLUE"]),
        ("where are the desk lamps", ["item:LAMP-7"]),
        ("widgets in stock", ["item:WIDGET-BLUE", "item:WIDGET-RED"]),
        ("red widget and bolt m6", ["item:BOLT-M6", "item:WIDGET-RED"]),
        ("the weather in paris", []),
        ("7", []),
        ("", []),
    ],
)
async def test_what_there_is_is_found_by_its_name(
    warehouse: Warehouse, question: str, first: list[str]
) -> None:
    assert sorted(await warehouse.found(question)) == first


async def test_a_word_for_the_kind_alone_lists_what_there_is(warehouse: Warehouse) -> None:
    assert await warehouse.found("what is in stock") == [
        f"item:{sku}" for sku in warehouse.inventory.items
    ]


async def test_a_live_title_carries_the_value(warehouse: Warehouse) -> None:
    (result,) = (await warehouse.registry.search("blue widgets left")).results
    assert result.title.startswith("Blue widget: 1,204 in stock · as of ")
    assert result.title.endswith(" UTC · simulated")
    assert result.url == "https://gateway.example/data/item:WIDGET-BLUE"


async def test_a_document_shows_all_that_the_service_answers(warehouse: Warehouse) -> None:
    warehouse.inventory.clock = lambda: datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    document = await warehouse.registry.fetch("item:GIZMO-XL")
    assert document.title == "Gizmo, extra large: 0 in stock · as of 08:30:00 UTC · simulated"
    assert document.as_of == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    assert document.source == "warehouse"
    assert document.is_simulated
    assert document.text.startswith("**Gizmo, extra large: 0 in stock**\n\n| Field | Value |")
    assert "| price.amount | 19.9 |" in document.text
    assert "## Deliveries\n\n| day | count |\n| --- | --- |\n| 2026-12-01 | 20 |" in document.text
    assert document.metadata == {"sku": "GIZMO-XL", "method": GET_ITEM}


async def test_templates_of_the_service_are_filled(warehouse: Warehouse) -> None:
    inventory = warehouse.inventory
    inventory.reservations["R-1"] = inventory.message(
        "Reservation", number="R-1", sku="BOLT-M6", count=1_500, customer="**A** <b>"
    )
    document = await warehouse.registry.fetch("reservation:R-1")
    assert document.title.startswith("1,500 of BOLT-M6 reserved for **A** (b) · as of ")
    assert document.summary == "Reservation R-1: 1,500 of BOLT-M6 for **A** (b)."
    assert document.text.startswith(r"**1,500 of BOLT-M6** for \*\*A\*\* (b)")
    assert not document.is_simulated


async def test_the_case_of_an_id_is_settled_by_what_is_listed(warehouse: Warehouse) -> None:
    assert (await warehouse.registry.fetch("Item:widget-blue")).id.text == "item:WIDGET-BLUE"


async def test_what_looks_like_an_id_is_read_before_it_is_listed(warehouse: Warehouse) -> None:
    inventory = warehouse.inventory
    inventory.reservations["R-17"] = inventory.message("Reservation", number="R-17", count=2)
    assert await warehouse.found("what about reservation R-17 or R-18") == ["reservation:R-17"]
    assert inventory.calls["GetReservation"] == 2
    del inventory.reservations["R-17"]
    warehouse.seconds.now += 60
    assert await warehouse.found("what about reservation R-17 or R-18") == []


async def test_no_more_than_three_candidates_are_looked_up(warehouse: Warehouse) -> None:
    assert await warehouse.found("reserved R-1 R-2 R-3 R-4 R-5") == []
    assert warehouse.inventory.calls["GetReservation"] == 3


async def test_without_a_word_for_the_kind_nothing_is_looked_up(warehouse: Warehouse) -> None:
    assert await warehouse.found("flight LH-400 and train 17") == []
    assert warehouse.inventory.calls["GetReservation"] == 0


async def test_an_unknown_value_is_not_found_and_the_like_are_suggested(
    warehouse: Warehouse,
) -> None:
    with pytest.raises(NotFound, match="warehouse has no such item") as caught:
        await warehouse.registry.fetch("item:WIDGET-BLEU")
    assert caught.value.suggestions[0] == "item:WIDGET-BLUE"
    for suggestion in caught.value.suggestions:
        assert (await warehouse.registry.fetch(suggestion)).id.text == suggestion


async def test_what_comes_and_goes_is_found_once_the_list_is_old(warehouse: Warehouse) -> None:
    assert await warehouse.found("sprockets in stock") == []
    warehouse.inventory.items["SPR"] = Item("SPR", "Sprocket", 3, 1.0, "A-09")
    del warehouse.inventory.items["WIDGET-RED"]
    warehouse.seconds.now += 10
    assert await warehouse.found("sprockets in stock") == ["item:SPR"]
    assert await warehouse.found("red widgets") == []
    assert warehouse.inventory.calls["ListItems"] == 2


async def test_a_search_does_not_wait_for_a_list_that_is_late(warehouse: Warehouse) -> None:
    warehouse.inventory.may_answer.clear()
    warehouse.seconds.now += 10
    async with asyncio.timeout(1.5):
        assert await warehouse.found("bitcoin price") == []
        assert await warehouse.found("blue widgets left") == ["item:WIDGET-BLUE"]
    warehouse.inventory.may_answer.set()


async def test_while_a_service_is_down_its_last_list_is_offered(warehouse: Warehouse) -> None:
    fetched = await warehouse.registry.fetch("item:WIDGET-BLUE")
    await warehouse.server.stop()
    warehouse.seconds.now += 60
    assert await warehouse.found("widgets in stock") == ["item:WIDGET-BLUE", "item:WIDGET-RED"]
    stale = await warehouse.registry.fetch("item:WIDGET-BLUE")
    assert (stale.text, stale.is_stale) == (fetched.text, True)
    with pytest.raises(Unavailable):
        await warehouse.registry.fetch("item:BOLT-M6")


async def test_a_service_that_fails_to_list_is_not_asked_at_every_search(
    warehouse: Warehouse,
) -> None:
    warehouse.inventory.failure = grpc.StatusCode.INTERNAL
    warehouse.seconds.now += 10
    for _ in range(3):
        assert await warehouse.found("blue widgets left") == ["item:WIDGET-BLUE"]
    assert warehouse.inventory.calls["ListItems"] == 2


async def test_a_template_that_cannot_be_read_is_left_out_and_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exposure = said_of_items(title="{name", summary="{nmae}: {count}")
    with caplog.at_level(logging.WARNING):
        async with warehouse_of(InventoryServer(), exposure=exposure) as warehouse:
            document = await warehouse.registry.fetch("item:BOLT-M6")
    assert document.title.startswith("Bolt M6 · as of")
    assert document.summary == "–: 88000"  # noqa: RUF001 - the dash that stands for no value
    assert f"method={GET_ITEM} title is left out: expected '}}'" in caplog.text
    assert f"method={GET_ITEM} summary: no answer has {{nmae}}" in caplog.text


async def test_foreign_names_cannot_break_a_title_or_a_list() -> None:
    items = {"X": Item("X", "Nice\u202e | [gadget](http://e)\n# <b>", 1, 1.0, "`A`")}
    async with warehouse_of(InventoryServer(Inventory(items=items))) as warehouse:
        (result,) = (await warehouse.registry.search("nice gadget in stock")).results
        document = await warehouse.registry.fetch("item:X")
    assert result.title.startswith("Nice / (gadget)(http://e) # (b): 1 in stock")
    assert "| place | 'A' |" in document.text


async def test_a_title_that_was_not_read_names_the_thing_and_its_id() -> None:
    settings = SearchSettings(live_titles=0)
    async with warehouse_of(InventoryServer(), settings=settings) as quiet:
        (result,) = (await quiet.registry.search("blue widgets left")).results
    assert result.title == "Blue widget · item:WIDGET-BLUE"
    assert result.text == "How many of an item are left, where they lie, and what one costs."

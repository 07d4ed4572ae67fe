"""What docs/extend.md shows is what happens, with the demonstration warehouse."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from gateway.app.opening import opened
from gateway.config.settings import load
from gateway.documents.registry import Registry
from gateway.errors import NotFound
from gateway.sources.grpc import listing, rendering, sources, templates, values
from tests.stand_ins.inventory import PROTO, InventoryServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text("utf-8")
PROTOS, SETTINGS = (
    re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("proto", "yaml")
)
QUESTION = "how many blue widgets are left"


@asynccontextmanager
async def gateway_with(settings: str, folder: Path) -> AsyncIterator[Registry]:
    """The settings as they are printed, but for the port, which a test must not take."""
    async with InventoryServer() as server:
        told = yaml.safe_load(settings.replace("127.0.0.1:50061", server.address))
        file = folder / "gateway.yaml"
        file.write_text(yaml.safe_dump({**told, "data_dir": str(folder)}), "utf-8")
        async with opened(load(file, environment={})) as gateway:
            yield gateway.owners.registry


def test_the_proto_that_is_shown_is_the_one_that_runs() -> None:
    (shown,) = PROTOS
    assert shown in PROTO.read_text("utf-8")


async def test_ten_lines_make_a_document_that_is_found_and_fetched(tmp_path: Path) -> None:
    async with gateway_with(SETTINGS[0], tmp_path) as registry:
        (result,) = (await registry.search(QUESTION)).results
        document = await registry.fetch(result.id)
    shown = re.search(r"^(item:\S+)\s+(.*?) · as of", PAGE, re.MULTILINE)
    assert shown
    assert f'gateway search "{QUESTION}"' in PAGE
    assert (result.id, result.title.split(" · ")[0]) == (shown[1], shown[2])
    assert document.is_simulated


async def test_the_overlay_says_what_the_proto_does_not(tmp_path: Path) -> None:
    async with gateway_with(SETTINGS[1], tmp_path) as registry:
        assert [one.pattern.kind for one in registry.added] == ["product", "reservation"]
        (result,) = (await registry.search("which shelf holds the desk lamp")).results
        document = await registry.fetch("product:gizmo-xl")
        with pytest.raises(NotFound, match="no kind of document is named 'item'"):
            await registry.fetch("item:GIZMO-XL")
    assert result.title.startswith("Desk lamp at B-02 · as of")
    assert document.text.startswith("**Gizmo, extra large**: 0 at B-17, 19.90 EUR each\n\n| day |")
    assert "| 2026-12-01 | 20 |" in document.text


def test_the_limits_are_those_of_the_program() -> None:
    for said in (
        f"| {sources.MAX_KINDS_PER_SERVICE} |",
        f"| {values.MAX_VALUES:,}, in {listing.MAX_PAGES} pages |",
        f"| {templates.MAX_VALUE_CHARACTERS:,} characters |",
        f"| {rendering.MAX_ROWS} and {rendering.MAX_COLUMNS} |",
        f"| {templates.MAX_TEMPLATE_CHARACTERS:,} characters |",
        f"| {rendering.MAX_TITLE_CHARACTERS} and {rendering.MAX_SUMMARY_CHARACTERS} characters |",
    ):
        assert said in PAGE

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.documents.document import Document
from gateway.documents.document_id import IdPattern
from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.documents.source import DocumentSource
from gateway.tools.reading import MAX_TEXT_CHARACTERS, ReadingTools, fetched
from gateway.tools.toolbox import Toolbox
from tests.stand_ins.notes import WRITTEN, Notes

URL = "https://gateway.example.com/data/note:milk"
MILK = Document(
    id=IdPattern("note:{name}").format(name="milk"),
    title="Milk",
    summary="Milk.",
    text="**Milk**",
    as_of=WRITTEN,
    source="a notebook",
    metadata={"shelf": "top"},
)


def three_seconds_later() -> datetime:
    return WRITTEN + timedelta(seconds=3)


def test_metadata_holds_strings_only_and_says_when_and_from_where() -> None:
    payload = fetched(MILK, URL, clock=three_seconds_later)
    assert payload["metadata"] == {
        "shelf": "top",
        "kind": "note",
        "as_of": "2026-11-21T12:00:00Z",
        "age_seconds": "3.0",
        "source": "a notebook",
        "simulated": "false",
        "stale": "false",
    }
    assert payload["text"].endswith("As of 2026-11-21T12:00:00Z, from a notebook.")


def test_a_stale_or_simulated_document_says_so_in_its_text() -> None:
    stale = replace(MILK, is_stale=True, is_simulated=True)
    text = fetched(stale, URL, clock=three_seconds_later)["text"]
    assert "Stale: the source is failing; this copy is 3 s old." in text
    assert "Simulated data: these are not real prices." in text


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    text = fetched(replace(MILK, text="x" * 60_000), URL)["text"]
    assert len(text) == MAX_TEXT_CHARACTERS
    assert text.endswith("[Cut here: 60,046 characters in all.]")


async def test_snippets_can_be_left_out() -> None:
    async with Freshness() as freshness:
        registry = Registry([Notes("milk")], freshness, public_url="https://gateway.example.com")
        for has_snippets, fields in (
            (True, ["id", "title", "url", "text"]),
            (False, ["id", "title", "url"]),
        ):
            toolbox = Toolbox([ReadingTools(registry, has_snippets=has_snippets).tools])
            answer = await toolbox.call("search", {"query": "milk"})
            assert [list(result) for result in answer.content["results"]] == [fields]
            (search, _) = await toolbox.tools()
            assert search.output_schema is not None
            item = search.output_schema["properties"]["results"]["items"]
            assert item["required"] == fields


async def test_the_descriptions_name_documents_that_came_later() -> None:
    later: tuple[DocumentSource, ...] = ()
    async with Freshness() as freshness:
        registry = Registry(
            [Notes("milk")],
            freshness,
            public_url="https://gateway.example.com",
            later=lambda: later,
        )
        reading = ReadingTools(registry)
        search, fetch = before = await reading.tools()
        assert "memo" not in search.description + fetch.description
        assert await reading.tools() is before
        later = (Notes("bread", kind="memo"),)
        search, fetch = await reading.tools()
        assert "memo: A note that somebody wrote" in search.description
        assert "memo:{name}" in fetch.description

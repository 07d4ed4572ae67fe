"""A gateway without agents has no documents of them, and reads questions as if there were none."""

from pathlib import Path

import pytest

from gateway.app.opening import opened
from gateway.config.settings import load
from gateway.documents.query import Query
from gateway.errors import NotFound
from gateway.sources.agents.reader import TOPIC


async def test_without_agents_there_is_nothing_of_them(tmp_path: Path) -> None:
    config = load(environment={"MCP_DATABASE_DIR": str(tmp_path)})
    async with opened(config) as gateway:
        for view in (gateway.owners, gateway.others):
            with pytest.raises(NotFound, match="no kind of document is named"):
                await view.registry.fetch("agent:all")
            asked = Query.read("which agents are on", view.registry.lexicons)
            assert asked.values(TOPIC) == ()
            answer = await view.registry.search("what did the review agent find today")
            assert answer.results == ()

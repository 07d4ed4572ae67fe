"""What the gateway keeps of a conversation outlives it, and belongs to one key alone."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError

from gateway.keys import hashed
from tests.acceptance.router_processes import RunningRouter, running_router
from tests.stand_ins.llm.script import Answer, Tool
from tests.stand_ins.llm.server import LlmStandIn

MODEL = "openrouter/small"
KEYS = {name: f"gw_the-key-of-{name}" for name in ("alice", "bob")}
CALLERS = [
    {"name": "alice", "key_sha256": hashed(KEYS["alice"]), "gateway_tools": ["search"]},
    {"name": "bob", "key_sha256": hashed(KEYS["bob"])},
]


def started(folder: Path, model: LlmStandIn) -> AbstractAsyncContextManager[RunningRouter]:
    """A gateway, each time another process, with what the one before it has kept."""
    return running_router(folder, model, settings={"callers": CALLERS}, key=KEYS["alice"])


async def chat(router: RunningRouter, text: str, **body: Any) -> str:
    async with router.openai() as client:
        answer = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": text}], extra_body=body
        )
    return answer.choices[0].message.content or ""


async def kept(router: RunningRouter, session: str) -> list[str]:
    return [one["content"] for one in (await router.asked(f"/context/{session}"))["messages"]]


def heard(model: LlmStandIn) -> list[str]:
    """All that the model was told in the last request."""
    return [one["content"] for one in model.requests[-1].body["messages"]]


async def test_what_was_said_goes_on_after_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    async with LlmStandIn("openrouter") as model, asyncio.timeout(60):
        model.script("small", Answer("Hello Ada."), Answer("Noted."))
        async with started(tmp_path, model) as router:
            await chat(router, "I am called Ada.", session_id="plans")
            async with router.openai() as client:
                first = await client.responses.create(model=MODEL, input="My cat is called Tom.")

        model.script("small", Answer("You are Ada."), Answer("Tom."))
        async with started(tmp_path, model) as router:
            bob = replace(router, key=KEYS["bob"])
            assert await chat(router, "Who am I?", session_id="plans") == "You are Ada."
            assert heard(model) == ["I am called Ada.", "Hello Ada.", "Who am I?"]
            async with router.openai() as client:
                answer = await client.responses.create(
                    model=MODEL, input="And my cat?", previous_response_id=first.id
                )
            assert answer.output_text == "Tom."
            assert heard(model) == ["My cat is called Tom.", "Noted.", "And my cat?"]

            assert await kept(router, "plans") == [
                "I am called Ada.",
                "Hello Ada.",
                "Who am I?",
                "You are Ada.",
            ]
            assert await kept(bob, "plans") == []
            await chat(bob, "Who am I?", session_id="plans")
            assert heard(model) == ["Who am I?"]
            async with bob.openai() as client:
                with pytest.raises(NotFoundError):
                    await client.responses.create(
                        model=MODEL, input="Whose cat?", previous_response_id=first.id
                    )

            async with router.http() as client:
                forgotten = await client.delete("/context/plans")
            assert forgotten.json()["removed"] == 4
            assert await kept(router, "plans") == []
            await chat(router, "And now?", session_id="plans")
            assert heard(model) == ["And now?"]
            # The other's conversation of this name is still there.
            assert len(await kept(bob, "plans")) == 2


async def test_a_key_with_tools_of_its_own_uses_them_without_asking(tmp_path: Path) -> None:
    search = Tool("search", '{"query": "bitcoin price"}')
    async with (
        LlmStandIn("openrouter") as model,
        started(tmp_path, model) as router,
        asyncio.timeout(60),
    ):
        model.script("small", Answer("I look.", tools=(search,)), Answer("I know."))
        assert await chat(router, "What is bitcoin at?") == "I look.\n\nI know."
        offered, answered = (one.body for one in model.requests)
        assert [one["function"]["name"] for one in offered["tools"]] == ["search"]
        assert "ticker:BTCUSDT" in answered["messages"][-1]["content"]

        await chat(replace(router, key=KEYS["bob"]), "What is bitcoin at?")
        assert "tools" not in model.requests[-1].body
        await chat(router, "Without tools, please.", gateway_tools=False)
        assert "tools" not in model.requests[-1].body

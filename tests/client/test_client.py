"""The client against a running gateway, as docs/client.md says to use it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.client.client import AsyncClient, Client
from gateway.client.events import CallBegun, CallEnded, Event
from gateway.errors import (
    BadAnswer,
    GatewayError,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from gateway.version import VERSION
from tests.stand_ins.gateway_process import GatewayProcess, free_port, running_gateway
from tests.stand_ins.http_server import serve

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KEYS = "olga=gw_the-key-of-olga-1"
SECONDS = 60
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
LIMITS = """
limits:
  - name: no-more-than-none
    quota_requests: 1
    window: day
    where: {model: demo/demo-large}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    file = tmp_path_factory.mktemp("config") / "gateway.yaml"
    file.write_text(LIMITS)
    with running_gateway("--demo-llm", "--config", str(file)) as process:
        yield process


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[Client]:
    with Client(gateway.base_url) as client:
        yield client


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_its_page_runs(gateway: GatewayProcess, number: int) -> None:
    example = EXAMPLES[number].replace("http://127.0.0.1:3001", gateway.base_url)
    assert gateway.base_url in example
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    expected = ("This is a demo", "This is a demo", "did you mean demo/demo-free", "search took")
    assert expected[number] in run.stdout


def test_a_chat_says_who_answered_on_which_route_and_for_how_much(client: Client) -> None:
    reply = client.chat("Hello!", model="demo/demo-paid", router={"task": "quick"})
    assert "This is a demo" in reply.text
    assert (reply.model, reply.provider, reply.tier) == ("demo/demo-paid", "demo", "paid")
    assert reply.cost_usd is not None
    assert reply.cost_usd > 0
    assert reply.tokens.input > 0
    assert reply.tokens.output == len(reply.text.split())
    assert (reply.finish_reason, reply.attempts) == ("stop", 1)
    assert reply.raw["object"] == "chat.completion"
    route = client.fetch(f"route:{reply.route_id}")
    assert "demo/demo-paid" in route.title


def test_a_stream_comes_in_pieces_and_ends_with_the_same_reply(client: Client) -> None:
    whole = client.chat("Hello!", model="demo/demo-paid")
    with client.stream("Hello!", model="demo/demo-paid") as stream:
        with pytest.raises(BadAnswer, match="iterate over it to its end"):
            _ = stream.reply
        pieces = list(stream)
    assert len(pieces) > 3
    assert "".join(pieces) == stream.reply.text == whole.text
    assert stream.reply.tokens == whole.tokens
    assert stream.reply.cost_usd == whole.cost_usd
    assert (stream.reply.finish_reason, stream.reply.tier) == ("stop", "paid")


def test_tool_calls_are_the_same_whole_and_streamed(client: Client) -> None:
    whole = client.chat("Ask weather.", model="demo/demo-free", tools=[WEATHER])
    with client.stream("Ask weather.", model="demo/demo-free", tools=[WEATHER]) as stream:
        list(stream)
    [called] = whole.tool_calls
    [streamed] = stream.reply.tool_calls
    assert (called.name, whole.finish_reason) == ("weather", "tool_calls")
    assert (streamed.name, streamed.arguments) == (called.name, called.arguments)


def test_a_conversation_is_remembered_under_an_identity_and_forgotten(client: Client) -> None:
    first = client.ask("My name is Ada.", identity="ada@example.com", context="personal")
    client.remember("ada@example.com", {"role": "user", "content": "I like bridges."})
    second = client.ask("Who am I?", identity="ada@example.com")
    assert second.raw["remembered_messages"] == 3
    said = client.conversation("ada@example.com")
    assert [one.content for one in said][:3] == ["My name is Ada.", first.text, "I like bridges."]
    assert said[0].created.tzinfo is not None
    assert client.forget("ada@example.com") == 5
    assert client.conversation("ada@example.com") == ()


def test_models_have_prices_limits_and_abilities(client: Client) -> None:
    models = {model.id: model for model in client.models()}
    assert set(models) == {"demo/demo-free", "demo/demo-paid", "demo/demo-large"}
    assert models["demo/demo-free"].tiers == ("free",)
    paid = models["demo/demo-paid"]
    assert (paid.input_usd, paid.output_usd, paid.context_tokens) == (0.5, 2, 131_072)
    assert "tools" in paid.abilities
    assert "vision" in models["demo/demo-large"].abilities


def test_usage_is_grouped_and_narrowed(client: Client) -> None:
    reply = client.chat("Count this.", model="demo/demo-paid")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    report = client.usage(today, today, group_by=["model", "tier"], request_id="no-such-request")
    assert (report.lines, report.total.calls, report.total.cost_usd) == ((), 0, 0)
    report = client.usage(today, today, group_by=["model", "tier"], route_id=reply.route_id)
    [line] = report.lines
    assert line.group == {"model": "demo/demo-paid", "tier": "paid"}
    assert (line.calls, line.cost_usd, line.tokens) == (1, reply.cost_usd, reply.tokens)
    assert (report.end - report.start).days == 1


def test_a_limit_that_is_used_up_is_raised_with_its_name_and_its_end(client: Client) -> None:
    [before] = client.quota()
    assert (before.name, before.most, before.remaining) == ("no-more-than-none", 1, 1)
    client.chat("Hello!", model="demo/demo-large")
    [after] = client.limits()
    assert (after.used, after.remaining) == (1, 0)
    with pytest.raises(LimitExceeded) as refusal, client.stream("Hi", model="demo/demo-large"):
        pass
    assert refusal.value.limit == "no-more-than-none"
    seconds = (after.resets_at - datetime.now(UTC)).total_seconds()
    assert refusal.value.retry_after_seconds == pytest.approx(seconds, abs=5)


def test_documents_are_found_and_fetched(client: Client) -> None:
    [first, *_] = client.search("bitcoin price")
    assert first.id == "ticker:BTCUSDT"
    document = client.fetch(first.id)
    assert document.url == first.url
    assert document.is_simulated
    assert not document.is_stale
    assert abs((datetime.now(UTC) - document.as_of).total_seconds()) < SECONDS
    model = client.fetch("model:demo/demo-free")
    assert model.id == "model:demo/demo-free"
    with pytest.raises(NotFound) as refusal:
        client.fetch("ticker:BTCUSDTT")
    assert "ticker:BTCUSDT" in refusal.value.suggestions


def test_any_tool_can_be_called(client: Client) -> None:
    chosen = client.tool("select_optimal_model", task_type="coding", complexity="high")
    assert chosen["model"] == "demo/demo-free"
    with pytest.raises(GatewayError, match="complexity is 'huge'"):
        client.tool("select_optimal_model", task_type="coding", complexity="huge")


def test_a_stream_tells_which_tools_the_gateway_calls(client: Client) -> None:
    options: dict[str, Any] = {"model": "demo/demo-paid", "gateway_tools": ["search"]}
    with client.stream("Please search.", **options) as stream:
        begun, ended, *pieces = list(stream.events())
    _check_call(begun, ended, pieces)
    assert "".join(map(str, pieces)) == stream.reply.text
    first, second = stream.reply.rounds
    [called] = first.called
    assert (called.name, called.error, second.called) == ("search", None, ())
    assert (first.model, first.tier) == ("demo/demo-paid", "paid")
    costs = (first.cost_usd, second.cost_usd)
    assert stream.reply.cost_usd == pytest.approx(sum(one or 0 for one in costs))
    assert stream.reply.tokens.input == first.tokens.input + second.tokens.input
    with client.stream("Please search.", **options) as stream:
        assert "".join(stream) == "".join(map(str, pieces))
    whole = client.chat("Please search.", **options)
    assert whole.text == stream.reply.text
    assert [one.called[0].name for one in whole.rounds[:1]] == ["search"]
    assert whole.tool_calls == ()


def test_a_session_remembers_what_was_said(client: Client) -> None:
    first = client.chat("My name is Ada.", model="demo/demo-free", session_id="plans")
    with client.stream("Who am I?", model="demo/demo-free", session_id="plans") as stream:
        list(stream)
    said = [one.content for one in client.conversation("plans")]
    assert said == ["My name is Ada.", first.text, "Who am I?", stream.reply.text]
    assert client.forget("plans") == 4


def test_all_tools_are_listed_with_what_they_may_do(client: Client) -> None:
    tools = {tool.name: tool for tool in client.tools()}
    assert {"search", "fetch"} < set(tools)
    assert tools["search"].is_read_only
    assert not tools["search"].is_destructive
    assert "query" in tools["search"].input_schema["properties"]


def test_a_gateway_says_which_version_it_is(client: Client) -> None:
    assert client.version() == VERSION


async def test_what_is_no_gateway_is_told_apart() -> None:
    async def something_else(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse(["not", "a", "gateway"])(scope, receive, send)

    async with serve(something_else) as url, AsyncClient(url) as client:
        with pytest.raises(BadAnswer, match="what answers there is no gateway"):
            await client.version()


def _check_call(begun: Event, ended: Event, pieces: Sequence[Event]) -> None:
    assert isinstance(begun, CallBegun)
    assert isinstance(ended, CallEnded)
    assert (begun.round, begun.name, ended.name) == (1, "search", "search")
    assert json.loads(begun.arguments).keys() == {"query"}
    assert begun.id == ended.id
    assert ended.error is None
    assert ended.milliseconds is not None
    assert "results" in ended.content
    assert all(isinstance(piece, str) for piece in pieces)


def test_wrong_requests_are_raised_as_what_they_are(client: Client) -> None:
    with pytest.raises(NotFound) as unknown:
        client.chat("Hello!", model="demo/demo-fre")
    assert (unknown.value.what, "demo/demo-free" in unknown.value.suggestions) == ("model", True)
    with pytest.raises(InvalidRequest, match="identity"):
        client.ask("Hello!", identity="not an identity")
    with pytest.raises(InvalidRequest, match="group_by has 'moon'"):
        client.usage(group_by=["moon"])


async def test_the_async_client_does_the_same(gateway: GatewayProcess) -> None:
    async with AsyncClient(gateway.base_url) as client:
        reply = await client.ask("Hello!")
        async with client.stream("Hello!", model=reply.model) as stream:
            pieces = [piece async for piece in stream]
        assert "".join(pieces) == stream.reply.text
        asking = client.stream("Please search.", model=reply.model, gateway_tools=["search"])
        async with asking as stream:
            begun, ended, *said = [event async for event in stream.events()]
        _check_call(begun, ended, said)
        assert len(await client.models()) == 3
        assert (await client.usage()).total.calls >= 2
        assert (await client.search("bitcoin price"))[0].id == "ticker:BTCUSDT"
        with pytest.raises(NotFound):
            async with client.stream("Hello!", model="demo/nothing"):
                pass


def test_a_key_is_needed_where_callers_have_keys() -> None:
    with running_gateway("--demo-llm", env={"GATEWAY_API_KEYS": KEYS}) as process:
        for key in (None, "gw_of-somebody-else-entirely"):
            with Client(process.base_url, key=key) as stranger:
                with pytest.raises(Unauthenticated):
                    stranger.chat("Hello!")
                with pytest.raises(Unauthenticated):
                    stranger.ask("Hello!")
        with Client(process.base_url, key=KEYS.partition("=")[2]) as olga:
            assert "This is a demo" in olga.chat("Hello!").text
            assert olga.usage(group_by=["caller"]).lines[0].group == {"caller": "olga"}


def test_a_gateway_that_is_not_there_is_unavailable() -> None:
    with (
        Client(f"http://127.0.0.1:{free_port()}") as client,
        pytest.raises(Unavailable, match="the gateway cannot be reached"),
    ):
        client.models()

"""Signed webhooks at `POST /v1/events`, without a key of the gateway's."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.agents.event_store import MOST_DATA_BYTES
from gateway.clock import now
from gateway.endpoints.events import LIMIT_BYTES
from gateway.endpoints.trimming import trimmed, written_bytes
from tests.endpoints.agents_door import GUEST, OWNER, door, message

SECRET, TOKEN = "it-is-secret", "glhook-5bd0c2a7"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENV = {"GITHUB_SECRET": SECRET, "GITLAB_TOKEN": TOKEN, "SIGNING_SECRET": SIGNING}
TAKEN: dict[str, Any] = {
    "env": ENV,
    "webhooks_in": {
        "github": {"secret_env": "GITHUB_SECRET"},
        "gitlab": {"token_env": "GITLAB_TOKEN"},
        "standard": {"secret_env": "SIGNING_SECRET"},
    },
}
PUSH = {"repository": {"full_name": "octo/shop"}, "head_commit": {"message": "Take payments"}}


def by_github(
    body: bytes, *, secret: str = SECRET, delivery: str = "d-1", event: str = "push"
) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": "sha256="
        + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


async def test_a_webhook_of_github_needs_a_signature_and_no_key(tmp_path: Path) -> None:
    # Spaces and an escape: what is signed are the bytes, not what they mean.
    body = json.dumps({**PUSH, "é": "é"}, indent=3).encode()
    async with door(tmp_path, has_keys=True, **TAKEN) as here, here.as_() as github:
        answers = [
            await github.post("/v1/events", content=body, headers=by_github(body)) for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [202, 200]
        first, again = (one.json() for one in answers)
        assert first["id"] == again["id"]
        assert (first["topic"], first["is_new"], first["is_trimmed"]) == (
            "github:push", True, False,
        )  # fmt: skip
        event = await here.agents.event(first["id"])
        assert event.news.data == json.loads(body)
        assert (event.news.source, event.news.subject) == ("github", "octo/shop: Take payments")


async def test_webhooks_of_gitlab_and_of_the_standard_are_events_too(tmp_path: Path) -> None:
    async with door(tmp_path, has_keys=True, **TAKEN) as here, here.as_() as sender:
        gitlab = {
            "x-gitlab-event": "Push Hook",
            "x-gitlab-token": TOKEN,
            "x-gitlab-event-uuid": "u-1",
        }
        answer = await sender.post("/v1/events", json={"ref": "refs/heads/main"}, headers=gitlab)
        assert (answer.status_code, answer.json()["topic"]) == (202, "gitlab:push")
        text = json.dumps({"type": "invoice.paid", "data": {"id": 1}})
        for sent, status in ((now(), 202), (now() - timedelta(minutes=6), 401)):
            standard = {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(sent.timestamp())),
                "webhook-signature": Webhook(SIGNING).sign("msg_1", sent, text),
            }
            answer = await sender.post("/v1/events", content=text, headers=standard)
            assert answer.status_code == status
        topics = [one.topic for one in await here.agents.events()]
        assert topics == ["invoice:paid", "gitlab:push"]


async def test_what_is_signed_wrong_is_refused_whoever_sends_it(tmp_path: Path) -> None:
    body = json.dumps(PUSH).encode()
    good = by_github(body)
    wrong = (
        ({**good, "x-hub-signature-256": by_github(body + b" ")["x-hub-signature-256"]}, "is not"),
        (by_github(body, secret="another"), "is not the signature of this body"),
        ({"x-github-event": "push", "x-github-delivery": "1"}, "this header is missing"),
        ({"x-gitlab-event": "Push Hook", "x-gitlab-token": "x"}, "is not the token"),
        ({"webhook-signature": "v1,x"}, "webhook-id: this header is missing"),
    )
    for number, has_keys in enumerate((True, False)):
        (folder := tmp_path / str(number)).mkdir()
        async with door(folder, has_keys=has_keys, **TAKEN) as here:
            # Where this machine alone gets in, whoever comes without a key is the owner.
            for key in (None, OWNER, GUEST) if has_keys else (None,):
                async with here.as_(key) as sender:
                    for headers, words in wrong:
                        answer = await sender.post("/v1/events", content=body, headers=headers)
                        assert (answer.status_code, words in message(answer)) == (401, True)
                        assert answer.json()["error"]["code"] == "invalid_signature"
            assert await here.agents.events() == []


async def test_a_wrong_key_beside_a_right_signature_is_not_looked_at(tmp_path: Path) -> None:
    body = json.dumps(PUSH).encode()
    async with door(tmp_path, has_keys=True, **TAKEN) as here:
        async with here.as_("of-somebody-else") as sender:
            answer = await sender.post("/v1/events", content=body, headers=by_github(body))
            assert answer.status_code == 202
        assert (await here.agents.event(answer.json()["id"])).news.by == "github"


async def test_the_headers_of_a_webhook_open_no_other_door(tmp_path: Path) -> None:
    body = json.dumps(PUSH).encode()
    async with door(tmp_path, has_keys=True, **TAKEN) as here:
        async with here.as_(None, **by_github(body)) as sender:
            for method, path in (
                ("GET", "/v1/events"), ("GET", "/v1/agents"), ("POST", "/v1/agents/pause"),
                ("POST", "/v1/agents/runs"), ("PUT", "/v1/events"), ("POST", "/v1/tasks"),
                ("POST", "/v1/events/"), ("POST", "/v1/events/evt_1"),
            ):  # fmt: skip
                answer = await sender.request(method, path, content=body)
                assert answer.status_code in (307, 401, 405), (method, path)
        assert await here.agents.events() == []
        assert await here.agents.notifications() == []


async def test_webhooks_come_to_the_public_host_and_not_from_pages(tmp_path: Path) -> None:
    body = json.dumps(PUSH).encode()
    gateway = {"public_url": "https://gateway.example"}
    async with (
        door(tmp_path, has_keys=True, gateway=gateway, **TAKEN) as here,
        here.as_() as sender,
    ):
        for headers, status in (
            ({"host": "gateway.example"}, 202),
            ({"host": "other.example"}, 421),
            ({"host": "gateway.example", "origin": "https://evil.example"}, 403),
        ):
            answer = await sender.post(
                "/v1/events", content=body, headers={**by_github(body), **headers}
            )
            assert answer.status_code == status, answer.text


async def test_whose_secret_is_not_known_is_told_so(tmp_path: Path) -> None:
    body = json.dumps(PUSH).encode()
    async with door(tmp_path, has_keys=True) as here, here.as_() as sender:
        for content in (body, b"x" * (LIMIT_BYTES + 1)):
            answer = await sender.post("/v1/events", content=content, headers=by_github(body))
            assert (answer.status_code, "webhooks_in" in message(answer)) == (403, True)
    only: dict[str, Any] = {
        "env": ENV,
        "webhooks_in": {"standard": {"secret_env": "SIGNING_SECRET"}},
    }
    async with door(tmp_path, **only) as here, here.as_() as sender:
        answer = await sender.post("/v1/events", content=body, headers=by_github(body))
        assert (answer.status_code, "GitHub are not taken" in message(answer)) == (401, True)


async def test_a_large_payload_is_trimmed_and_only_one_beyond_the_limit_refused(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, **TAKEN) as here, here.as_() as github:
        commits = [{"id": f"{number:040}", "message": "x" * 900} for number in range(1_000)]
        large = json.dumps({**PUSH, "commits": commits}).encode()
        body = large + b" " * (LIMIT_BYTES - len(large))
        answer = await github.post("/v1/events", content=body, headers=by_github(body))
        assert (answer.status_code, answer.json()["is_trimmed"]) == (202, True), answer.text
        data = (await here.agents.event(answer.json()["id"])).news.data
        assert data["repository"] == {"full_name": "octo/shop"}
        assert data["commits"][0] == commits[0]
        assert len(data["commits"]) < 1_000
        assert "lists to" in data["_trimmed"]
        body += b" "
        answer = await github.post("/v1/events", content=body, headers=by_github(body))
        assert answer.status_code == 413


def test_links_go_before_anything_else_is_cut() -> None:
    links = {f"{name}_url": "https://api.example/" + "x" * 90 for name in ("git", "html", "keys")}
    payload = {"repository": {"name": "shop", "node_id": "R_1", **links}, "text": "x" * 500}
    assert trimmed(payload, most_bytes=written_bytes(payload)) is payload
    small = trimmed(payload, most_bytes=written_bytes(payload) - 1)
    assert small["repository"] == {"name": "shop", "html_url": links["html_url"]}
    assert small["text"] == payload["text"]


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "\u0001" * 300_000},
        {"😀" * 300: "x", "list": ["😀" * 300] * 1_000},
        {f"key-{number}": {"x": ["y" * 50] * 5} for number in range(5_000)},
        {"deep": [[[["x" * 100] * 10] * 10] * 10] * 10},
        {"x" * 300_000: 1},
        {"number": 10**4_000, "numbers": [10**4_000] * 100},
    ],
    ids=("escapes", "four bytes", "many keys", "deep", "long key", "long numbers"),
)
def test_whatever_is_too_large_fits_afterwards(payload: Mapping[str, Any]) -> None:
    small = trimmed(payload, most_bytes=MOST_DATA_BYTES)
    assert written_bytes(small) <= MOST_DATA_BYTES
    assert "it had" in small["_trimmed"]

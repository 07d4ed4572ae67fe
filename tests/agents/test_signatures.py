"""A webhook is taken only where its signature holds, and then says what happened."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.agents.signatures import Delivery, checked_signing_secret, verified
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.errors import ConfigurationError, InvalidRequest, InvalidSignature

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SIGNING = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="
TOKEN = "glhook-5bd0c2a7"
# The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
SECRETS = WebhookSecrets(
    github=GITHUB_SECRET, gitlab_token=TOKEN, gitlab_signing=SIGNING, standard=SIGNING
)


def taken(headers: Mapping[str, str], body: bytes, secrets: WebhookSecrets = SECRETS) -> Delivery:
    return verified(headers, body, secrets, clock=lambda: NOON)


def by_github(event: str, data: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    body = json.dumps(data).encode()
    digest = hmac.new(GITHUB_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={digest}",
    }, body


def signed(
    data: object, *, secret: str = SIGNING, sent: datetime = NOON, message_id: str = "msg_1"
) -> tuple[dict[str, str], bytes]:
    """As the official library of Standard Webhooks signs it."""
    text = json.dumps(data)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, sent, text),
    }, text.encode()


def by_gitlab(data: Mapping[str, Any], **more: str) -> tuple[dict[str, str], bytes]:
    headers = {"X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Event-UUID": "uuid-1"}
    return headers | more, json.dumps(data).encode()


def test_the_example_that_github_documents_is_signed_and_no_other_body_is() -> None:
    headers = {"X-Hub-Signature-256": GITHUB_SIGNATURE, "X-GitHub-Event": "push"}
    headers["X-GitHub-Delivery"] = "1"
    with pytest.raises(InvalidRequest, match="no JSON object"):
        taken(headers, GITHUB_BODY)
    with pytest.raises(InvalidSignature, match="X-Hub-Signature-256: is not the signature"):
        taken(headers, GITHUB_BODY + b"!")


def test_github_says_what_happened_in_a_header_and_what_was_done_in_the_body() -> None:
    headers, body = by_github(
        "push",
        {
            "repository": {"full_name": "octo/shop"},
            "head_commit": {"message": "Take payments\n\nWith cards."},
        },
    )
    push = taken({name.lower(): value for name, value in headers.items()}, body)
    assert (push.source, push.topic) == ("github", "github:push")
    # GitHub signs no header: the same body under others is the same delivery.
    again = taken({**headers, "X-GitHub-Event": "release", "X-GitHub-Delivery": "2"}, body)
    assert again.delivery_id == push.delivery_id
    assert push.subject == "octo/shop: Take payments"
    assert push.data == json.loads(body)
    opened = taken(
        *by_github("pull_request", {"action": "opened", "pull_request": {"title": "Refunds"}})
    )
    assert (opened.topic, opened.subject) == ("github:pull_request.opened", "Refunds")
    assert opened.delivery_id != push.delivery_id


@pytest.mark.parametrize(
    "kind", ["schedule.nightly", "git.commit", "agent.finished", "github.push"]
)
def test_whoever_sends_webhooks_speaks_neither_as_the_gateway_nor_as_a_watcher(kind: str) -> None:
    assert taken(*signed({"type": kind})).topic == f"webhook:{kind.replace('.', ':')}"


def test_a_token_of_gitlab_must_be_the_whole_token() -> None:
    said = {"object_attributes": {"action": "open", "title": "Refunds"}, "project": {}}
    opened = taken(*by_gitlab(said, **{"X-Gitlab-Token": TOKEN, "Idempotency-Key": "key-1"}))
    assert opened == Delivery("gitlab", "gitlab:merge_request.open", "key-1", "Refunds", said)
    for wrong in (TOKEN[:-1], TOKEN + "x", "tökén"):
        with pytest.raises(InvalidSignature, match="X-Gitlab-Token: is not"):
            taken(*by_gitlab(said, **{"X-Gitlab-Token": wrong}))


def test_an_old_gitlab_that_shares_an_id_among_events_has_a_delivery_for_each_body() -> None:
    one, again, other = (
        taken(*by_gitlab({"number": number}, **{"X-Gitlab-Token": TOKEN})).delivery_id
        for number in (1, 1, 2)
    )
    assert one == again != other


def test_a_signature_of_gitlab_must_hold_though_the_token_is_right() -> None:
    gitlab = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": TOKEN}
    headers, body = signed({"ref": "refs/heads/main"}, message_id="key-2")
    push = taken(headers | gitlab, body)
    assert (push.topic, push.delivery_id) == ("gitlab:push", "key-2")
    assert push.subject == "refs/heads/main"
    with pytest.raises(InvalidSignature, match="webhook-signature"):
        taken(headers | gitlab, body + b" ")
    only_signed = WebhookSecrets(gitlab_signing=SIGNING)
    with pytest.raises(InvalidSignature, match="webhook-id: this header is missing"):
        taken(gitlab, body, only_signed)


def test_a_system_hook_of_gitlab_says_in_its_body_what_happened() -> None:
    headers, body = by_gitlab(
        {"event_name": "project_create"},
        **{"X-Gitlab-Token": TOKEN, "X-Gitlab-Event": "System Hook"},
    )
    assert taken(headers, body).topic == "gitlab:system.project_create"


def test_a_standard_webhook_names_its_own_topic() -> None:
    paid = taken(*signed({"type": "Invoice.Paid", "data": {"id": 1}}))
    assert paid == Delivery(
        "webhook",
        "invoice:paid",
        "msg_1",
        "Invoice.Paid",
        {"type": "Invoice.Paid", "data": {"id": 1}},
    )


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced() -> None:
    headers, body = signed({"type": "a"})
    old, _ = signed({"type": "a"}, secret=OTHER_SIGNING)
    both = f"v1a,abc {old['webhook-signature']} {headers['webhook-signature']} v2"
    assert taken(headers | {"webhook-signature": both}, body).topic == "a"
    for wrong in (old["webhook-signature"], headers["webhook-signature"].replace("v1", "v2")):
        with pytest.raises(InvalidSignature, match="webhook-signature: none in it"):
            taken(headers | {"webhook-signature": wrong}, body)


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp"])
def test_the_id_and_the_time_are_signed_too(part: str) -> None:
    headers, body = signed({"type": "a"})
    with pytest.raises(InvalidSignature, match="webhook-signature: none in it"):
        taken(headers | {part: headers[part] + "1"}, body)


@pytest.mark.parametrize("away", [timedelta(seconds=301), -timedelta(seconds=301)])
def test_an_old_webhook_cannot_be_played_again(away: timedelta) -> None:
    with pytest.raises(InvalidSignature, match="301 seconds from now; at most 300"):
        taken(*signed({"type": "a"}, sent=NOON + away))
    edge = NOON + away - away / 301
    assert taken(*signed({"type": "a"}, sent=edge)).delivery_id == "msg_1"


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({}, "X-Hub-Signature-256, X-Gitlab-Token and webhook-signature"),
        ({"X-GitHub-Event": "push"}, "X-Hub-Signature-256"),
        ({"X-Gitlab-Event": "Push Hook"}, "X-Gitlab-Token"),
        ({"webhook-id": "1"}, "webhook-timestamp"),
        ({"webhook-id": "1", "webhook-timestamp": "1"}, "webhook-signature"),
    ],
)
def test_what_is_missing_is_named(headers: Mapping[str, str], missing: str) -> None:
    with pytest.raises(InvalidSignature, match=missing):
        taken(headers, b"{}")


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_secret_nobody_is_let_in(nothing: str | None) -> None:
    none = WebhookSecrets(nothing, nothing, nothing, nothing)
    body = b"{}"
    empty = hmac.new(b"", body, hashlib.sha256).hexdigest()
    for headers in (
        {"X-Hub-Signature-256": f"sha256={empty}", "X-GitHub-Event": "a"},
        {"X-Gitlab-Token": "a", "X-Gitlab-Event": "a"},
        signed({"type": "a"})[0],
    ):
        with pytest.raises(InvalidSignature, match="no secret for them is known"):
            taken(headers, body, none)


def test_no_error_says_a_secret_or_what_would_be_right() -> None:
    standard, body = signed({"type": "a"})
    wrong = {
        "X-Hub-Signature-256": "sha256=00",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "1",
    }
    right = hmac.new(GITHUB_SECRET.encode(), body, hashlib.sha256).hexdigest()
    said = []
    for headers in (
        wrong,
        standard | {"webhook-signature": "v1,abc"},
        {"X-Gitlab-Token": "no", "X-Gitlab-Event": "a"},
    ):
        with pytest.raises(InvalidSignature) as refused:
            taken(headers, body)
        said.append(str(refused.value))
    hidden = (GITHUB_SECRET, SIGNING, TOKEN, right, standard["webhook-signature"].split(",")[1])
    assert not any(one in text for one in hidden for text in [*said, repr(SECRETS)])


@pytest.mark.parametrize("data", [{"type": "a b"}, {"type": "a..b"}, {"type": 1}, {}, ["a"]])
def test_what_is_signed_but_no_event_is_refused_otherwise(data: object) -> None:
    with pytest.raises(InvalidRequest):
        taken(*signed(data))


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "no base64!" * 9])
def test_a_secret_that_is_none_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked_signing_secret(text)
    assert len(text) <= 6 or text not in str(refused.value)
    assert checked_signing_secret(SIGNING) == SIGNING

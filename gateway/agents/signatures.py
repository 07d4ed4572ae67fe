"""Whether a webhook is from whom it says: the signatures of GitHub, GitLab and Standard Webhooks.

GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/
Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.agents.topic import MOST_CHARACTERS, RESERVED, checked_topic
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.clock import Clock, now
from gateway.errors import ConfigurationError, InvalidRequest, InvalidSignature

GITHUB, GITLAB, STANDARD = "github", "gitlab", "webhook"
TOLERANCE = timedelta(minutes=5)
MOST_SUBJECT_CHARACTERS = 200
_SECRET_PREFIX = "whsec_"
_LEAST_SECRET_BYTES = 24
_NOT_IN_A_TOPIC = re.compile(r"[^a-z0-9_.-]+")
_SECONDS = re.compile(r"[0-9]{1,12}")
# Where a payload of GitHub or GitLab says what it is about, the most telling first.
_TITLES = (
    ("pull_request", "title"),
    ("issue", "title"),
    ("object_attributes", "title"),
    ("release", "name"),
    ("head_commit", "message"),
    ("ref",),
)
_REPOSITORIES = (("repository", "full_name"), ("project", "path_with_namespace"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that is what it says: what happened, and the payload that tells of it.

    `source` is `github`, `gitlab` or `webhook`; `delivery_id` is the same when it is sent again.
    """

    source: str
    topic: str
    delivery_id: str
    subject: str
    data: Mapping[str, Any]


def verified(
    headers: Mapping[str, str], body: bytes, secrets: WebhookSecrets, *, clock: Clock = now
) -> Delivery:
    """What a signed request says; nothing of the body is read before its signature holds.

    The topic is `github:push` or `github:pull_request.opened`, `gitlab:push` or
    `gitlab:merge_request.open`, and for all others the `type` in the body with its dots as
    colons: `invoice.paid` is `invoice:paid`.

    Raises:
        InvalidSignature: a header is missing, or the signature is wrong or too old.
        InvalidRequest: it is signed, but no event can be read from it.
        ConfigurationError: the secret that we have is none.
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    if "x-github-event" in named or "x-hub-signature-256" in named:
        return _of_github(named, body, secrets.github)
    if "x-gitlab-event" in named or "x-gitlab-token" in named:
        return _of_gitlab(named, body, secrets, clock=clock)
    if "webhook-signature" in named or "webhook-id" in named:
        return _of_standard(named, body, secrets.standard, clock=clock)
    raise InvalidSignature(
        "X-Hub-Signature-256, X-Gitlab-Token and webhook-signature: one of these headers must "
        "show who sends this event; all are missing"
    )


def checked_signing_secret(text: str) -> str:
    """
    Raises:
        ConfigurationError: it is no secret of Standard Webhooks, or a signing token of GitLab.
    """
    _key(text)
    return text


def _of_github(headers: Mapping[str, str], body: bytes, secret: str | None) -> Delivery:
    signature = _needed(headers, "X-Hub-Signature-256")
    digest = hmac.new(_known(secret, "GitHub").encode(), body, hashlib.sha256).hexdigest()
    if not _is_same(signature, f"sha256={digest}"):
        raise InvalidSignature("X-Hub-Signature-256: is not the signature of this body")
    event = _told(headers, "X-GitHub-Event")
    # GitHub signs the body alone: sent again under other headers it is still the same.
    delivery = hashlib.sha256(body).hexdigest()
    data = _json(body)
    return Delivery(
        GITHUB, _topic(GITHUB, event, data.get("action")), delivery, _subject(data, event), data
    )


def _of_gitlab(
    headers: Mapping[str, str], body: bytes, secrets: WebhookSecrets, *, clock: Clock
) -> Delivery:
    # A signature that is there must hold: the token, which goes over the wire, does not replace it.
    is_signed = bool(secrets.gitlab_signing) and (
        "webhook-signature" in headers or not secrets.gitlab_token
    )
    if is_signed:
        _check_signature(headers, body, secrets.gitlab_signing or "", clock=clock)
    else:
        token = _needed(headers, "X-Gitlab-Token")
        if not _is_same(token, _known(secrets.gitlab_token, "GitLab")):
            raise InvalidSignature("X-Gitlab-Token: is not the token of this webhook")
    event = _told(headers, "X-Gitlab-Event")
    data = _json(body)
    kind = event.lower().removesuffix(" hook")
    attributes = data.get("object_attributes")
    action = attributes.get("action") if isinstance(attributes, Mapping) else None
    if kind == "system":
        action = data.get("event_name")
    delivery = headers["webhook-id"] if is_signed else _gitlab_delivery(headers, body)
    return Delivery(GITLAB, _topic(GITLAB, kind, action), delivery, _subject(data, kind), data)


def _gitlab_delivery(headers: Mapping[str, str], body: bytes) -> str:
    """Before 17.4 there is no key of one delivery: webhooks that lead to others share an ID."""
    if key := headers.get("idempotency-key"):
        return key
    event_id = _told(headers, "X-Gitlab-Event-UUID")
    return f"{event_id}:{hashlib.sha256(body).hexdigest()[:16]}"


def _of_standard(
    headers: Mapping[str, str], body: bytes, secret: str | None, *, clock: Clock
) -> Delivery:
    _check_signature(headers, body, _known(secret, "Standard Webhooks"), clock=clock)
    data = _json(body)
    kind = data.get("type")
    if not isinstance(kind, str) or not kind:
        raise InvalidRequest("type: is missing; it says what happened, such as invoice.paid")
    topic = checked_topic(kind.lower().replace(".", ":"))
    if topic.partition(":")[0] in (*RESERVED, "code", "question"):
        # Or whoever sends webhooks could speak as a watcher, or as the gateway itself.
        topic = checked_topic(f"{STANDARD}:{topic}")
    return Delivery(STANDARD, topic, headers["webhook-id"], kind, data)


def _check_signature(headers: Mapping[str, str], body: bytes, secret: str, *, clock: Clock) -> None:
    """Of several signatures one is enough: a secret that is being replaced has two."""
    message_id, sent, signatures = (
        _needed(headers, name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    signed = b".".join((message_id.encode(), sent.encode(), body))
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    right = f"v1,{base64.b64encode(digest).decode()}"
    if not any(_is_same(one, right) for one in signatures.split()):
        raise InvalidSignature(
            "webhook-signature: none in it is the v1 signature of this ID, time and body"
        )
    if not _SECONDS.fullmatch(sent):
        raise InvalidSignature("webhook-timestamp: is no whole number of seconds since 1970")
    away_seconds = abs(clock().timestamp() - int(sent))
    if away_seconds > TOLERANCE.total_seconds():
        raise InvalidSignature(
            f"webhook-timestamp: is {away_seconds:.0f} seconds from now; at most "
            f"{TOLERANCE.total_seconds():.0f}"
        )


def _key(secret: str) -> bytes:
    written = secret.removeprefix(_SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _LEAST_SECRET_BYTES:
        raise ConfigurationError(
            f"the secret of a webhook is {_SECRET_PREFIX} and at least {_LEAST_SECRET_BYTES} "
            "bytes in base64; this one is not"
        )
    return key


def _known(secret: str | None, sender: str) -> str:
    # With an empty one, everybody could sign.
    if not secret:
        raise InvalidSignature(f"webhooks of {sender} are not taken: no secret for them is known")
    return secret


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _needed(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name.lower())):
        raise InvalidSignature(f"{name}: this header is missing")
    return value


def _told(headers: Mapping[str, str], name: str) -> str:
    if not (value := headers.get(name.lower())):
        raise InvalidRequest(f"{name}: this header is missing")
    return value


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InvalidRequest(
            "the body is no JSON object; webhooks are taken with the content type application/json"
        )
    return data


def _topic(source: str, kind: str, action: object) -> str:
    parts = [kind, action] if isinstance(action, str) and action else [kind]
    words = [_NOT_IN_A_TOPIC.sub("_", part.lower()).strip("_.-") for part in parts]
    return checked_topic(f"{source}:{'.'.join(filter(None, words))}"[:MOST_CHARACTERS])


def _subject(data: Mapping[str, Any], kind: str) -> str:
    repository = next(filter(None, (_text_at(data, path) for path in _REPOSITORIES)), "")
    title = next(filter(None, (_text_at(data, path) for path in _TITLES)), kind)
    said = f"{repository}: {title}" if repository else title
    return said.splitlines()[0][:MOST_SUBJECT_CHARACTERS]


def _text_at(data: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = data
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value.strip() if isinstance(value, str) else ""

"""Signed webhooks at `POST /v1/events`: GitHub, GitLab and all that follow Standard Webhooks."""

import asyncio
import logging
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import caller
from gateway.agents.agents import Agents
from gateway.agents.event import News
from gateway.agents.event_store import MOST_DATA_BYTES
from gateway.agents.signatures import Delivery, verified
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.caller import ANONYMOUS
from gateway.clock import Clock, now
from gateway.endpoints.body_limit import BodyLimit
from gateway.endpoints.events import LIMIT_BYTES, PATH, stored_answer
from gateway.endpoints.openai_problems import answering_as_openai, openai_refusal, refused_body
from gateway.endpoints.trimming import NOTE, trimmed
from gateway.errors import GatewayError, PermissionDenied

logger = logging.getLogger(__name__)

# Whoever sends one of them says that it is a webhook, and is let in by its signature alone.
_SIGNS = (
    "x-hub-signature-256",
    "x-github-event",
    "x-gitlab-event",
    "x-gitlab-token",
    "webhook-signature",
    "webhook-id",
)
_NOT_TAKEN = PermissionDenied(
    "no webhooks are taken here: name the variable that holds their secret under webhooks_in in "
    "agents.yaml; whoever has a key of this gateway sends no header of a webhook"
)


class SignedWebhooks:
    """ASGI middleware, before any key is looked at: a webhook is answered here, all else by `app`.

    Who sends one has no rights, whatever key came along and wherever it comes from: only its
    signature over the very bytes of the body counts. A payload that is larger than an event may
    be is trimmed.
    """

    def __init__(
        self, app: ASGIApp, agents: Agents, secrets: WebhookSecrets, *, clock: Clock = now
    ) -> None:
        self._app = app
        self._agents = agents
        self._secrets = secrets
        self._clock = clock
        self._door = BodyLimit(self._answer, limit_bytes=LIMIT_BYTES, refuse=refused_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_webhook(scope):
            await self._app(scope, receive, send)
            return
        caller.begin(ANONYMOUS)
        if not self._secrets.senders:
            # Before the body is read: nothing in it could change that.
            await openai_refusal(_NOT_TAKEN)(scope, receive, send)
            return
        await self._door(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await answering_as_openai(self._taken)(Request(scope, receive))
        await answer(scope, receive, send)

    async def _taken(self, request: Request) -> Response:
        body = await request.body()
        try:
            # A megabyte takes long enough to keep others waiting.
            news = await asyncio.to_thread(self._read, dict(request.headers), body)
            stored = await self._agents.publish(news)
        except GatewayError as error:
            logger.warning("webhook refused: %s", error)
            raise
        event = stored.event
        logger.info("webhook event=%s topic=%s is_new=%s", event.id, event.topic, stored.is_new)
        return stored_answer(stored, is_trimmed=NOTE in event.news.data)

    def _read(self, headers: Mapping[str, str], body: bytes) -> News:
        """Raises:
        Unauthenticated: it is not from whom it says.
        InvalidRequest: it is, but says nothing that could be an event.
        """
        delivery = verified(headers, body, self._secrets, clock=self._clock)
        return _news(delivery)


def _news(delivery: Delivery) -> News:
    return News(
        delivery.topic,
        trimmed(delivery.data, most_bytes=MOST_DATA_BYTES),
        delivery.source,
        subject=delivery.subject,
        delivery=delivery.delivery_id,
        by=delivery.source,
    )


def _is_webhook(scope: Scope) -> bool:
    if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", PATH):
        return False
    headers = Headers(scope=scope)
    return any(name in headers for name in _SIGNS)

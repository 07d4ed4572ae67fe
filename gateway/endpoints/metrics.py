"""The gateway's metrics as Prometheus reads them, for its owner and for this machine itself."""

from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.endpoints.validated import answering_problems
from gateway.errors import PermissionDenied
from gateway.loopback import is_this_machine

# A proxy on this machine looks like this machine, but for these.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def metrics_routes(registry: CollectorRegistry = REGISTRY) -> list[BaseRoute]:
    """`/metrics`; a scraper elsewhere sends an owner's key as its bearer token."""

    @answering_problems
    async def metrics(request: Request) -> Response:
        if not (request.state.caller.is_owner or _is_from_here(request)):
            raise PermissionDenied(
                "metrics are for this machine and for owners; a scraper elsewhere sends an "
                "owner's key as 'Authorization: Bearer gw_…'"
            )
        encode, content_type = _encoder(request.headers.get("accept", ""))
        headers = {"content-type": content_type, "cache-control": "no-store"}
        return Response(encode(registry), headers=headers)

    return [Route("/metrics", metrics)]


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):
        # It stumbles over a version that is no number; whoever asks so gets the usual text.
        return choose_encoder("")


def _is_from_here(request: Request) -> bool:
    return (
        request.client is not None
        and is_this_machine(request.client.host)
        and is_this_machine(request.url.hostname or "")
        and not any(name in request.headers for name in _FORWARDED)
    )

"""What a method lists, asked for when it is needed and kept while the service is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.documents.document_id import IdPattern
from gateway.downstream.grpc.grpc_service import GrpcService
from gateway.downstream.grpc.methods import ExposedMethod
from gateway.errors import GatewayError
from gateway.sources.grpc.values import MAX_VALUES, Values, read_values

logger = logging.getLogger(__name__)

LEAST_FRESH_SECONDS = 10.0
MOST_FRESH_SECONDS = 300.0
RETRY_SECONDS = 5.0
MAX_PAGES = 20


class Listing:
    """The values of one kind: `values` is the last copy, however old it is.

    It is asked for anew when it is due, by one call however many search; a service that lists in
    pages (`page_token`, `next_page_token`) is asked for all of them, up to 5,000 values.
    """

    def __init__(
        self,
        service: GrpcService,
        method: ExposedMethod,
        pattern: IdPattern,
        *,
        fresh_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.values = Values(())
        self._service = service
        self._method = method
        self._pattern = pattern
        self._fresh_seconds = min(max(fresh_seconds, LEAST_FRESH_SECONDS), MOST_FRESH_SECONDS)
        self._monotonic = monotonic
        self._due_at = monotonic()
        self._refresh: asyncio.Task[None] | None = None

    @property
    def is_due(self) -> bool:
        return self._monotonic() >= self._due_at or self._refresh is not None

    def refresh(self) -> asyncio.Task[None]:
        """The one call that is under way, or a new one; it never fails and is not the caller's."""
        if self._refresh is None:
            name = f"list {self._pattern.kind}"
            self._refresh = asyncio.create_task(self._list_again(), name=name)
        return self._refresh

    async def refreshed(self, *, within_seconds: float) -> None:
        """Returns when the values are new, or the time is over."""
        await asyncio.wait([self.refresh()], timeout=within_seconds)

    def cancel(self) -> asyncio.Task[None] | None:
        """End the call that is under way; it has ended when the task has."""
        if self._refresh is not None:
            self._refresh.cancel()
        return self._refresh

    async def _list_again(self) -> None:
        seconds = RETRY_SECONDS
        try:
            rows = await self._rows()
            # Thousands of names take a while to read, and nobody should wait for that.
            listed = await asyncio.to_thread(read_values, rows, self._pattern)
            if [(one.id, one.name) for one in listed] != self._known():
                self.values = await asyncio.to_thread(Values, listed)
            seconds = self._fresh_seconds
        except GatewayError as error:
            logger.info("list kind=%s failed=%s", self._pattern.kind, error.code)
        except Exception:
            # Whatever a service lists, the next search must be able to ask again.
            logger.exception("list kind=%s failed", self._pattern.kind)
        finally:
            self._due_at = self._monotonic() + seconds
            self._refresh = None

    def _known(self) -> list[tuple[object, str]]:
        return [(value.id, value.name) for value in self.values.all]

    async def _rows(self) -> list[Any]:
        rows: list[Any] = []
        arguments: dict[str, str] = {}
        has_pages = "page_token" in self._method.input_schema.get("properties", {})
        for _ in range(MAX_PAGES):
            answer = await self._service.call(self._method, arguments)
            rows += _listed(answer)
            token = answer.get("next_page_token") if has_pages else None
            if not token or len(rows) >= MAX_VALUES:
                return rows
            arguments = {"page_token": str(token)}
        return rows


def _listed(answer: Mapping[str, Any]) -> list[Any]:
    """The answer's repeated message field."""
    lists = (one for one in answer.values() if isinstance(one, list))
    return next((one for one in lists if one and isinstance(one[0], Mapping)), [])

"""What was said before a request to `/v1/responses`, as far as its caller may continue it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.errors import InvalidRequest, NotFound
from gateway.llm.doors.responses.format import REFERENCE, Asked, item_of, response_of
from gateway.stored_responses import Stored, StoredResponses
from gateway.text import shown

Json = Mapping[str, Any]


class Past(NamedTuple):
    """`before` is what is continued; `items` are new, and `referred` those that were only named."""

    before: Sequence[Json]
    items: Sequence[Json]
    referred: Mapping[str, Json]


class History:
    def __init__(self, stored: StoredResponses) -> None:
        self._stored = stored

    async def of(self, caller: str, asked: Asked) -> Past:
        """Raises:
        NotFound: the response that it continues is not kept.
        InvalidRequest: an item that it names is not kept, or all is too much for one request.
        """
        before: list[Json] = []
        if asked.previous_id is not None:
            before = _items(await self._continued(caller, asked.previous_id))
        referred = {one: await self._item(caller, one, before) for one in asked.references}
        items = [referred[one["id"]] if _is_reference(one) else one for one in asked.items]
        return Past(before, items, referred)

    async def one(self, caller: str, response_id: str) -> Stored:
        """Raises:
        NotFound: it is not kept.
        """
        return await self._stored.one(caller, response_id)

    async def forget(self, caller: str, response_id: str) -> None:
        """Raises:
        NotFound: it is not kept.
        """
        await self._stored.forget(caller, response_id)

    async def input_of(self, caller: str, response_id: str) -> Sequence[Json]:
        """All that the response answered, what it continued included.

        Raises:
            NotFound: it is not kept.
        """
        *before, last = await self._stored.history(caller, response_id)
        return [*_items(before), *last.input]

    async def _continued(self, caller: str, response_id: str) -> Sequence[Stored]:
        try:
            return await self._stored.history(caller, response_id)
        except NotFound as error:
            raise NotFound(str(error), what="previous_response") from error

    async def _item(self, caller: str, item_id: str, before: Sequence[Json]) -> Json:
        found = item_of(before, item_id)
        if found is None:
            found = item_of(await self._around(caller, item_id), item_id)
        if found is None:
            raise _unknown(item_id)
        return found

    async def _around(self, caller: str, item_id: str) -> Sequence[Json]:
        try:
            stored = await self._stored.one(caller, response_of(item_id))
        except NotFound:
            return ()
        return [*stored.input, *stored.answer["output"]]


def _items(chain: Sequence[Stored]) -> list[Json]:
    return [item for one in chain for item in (*one.input, *one.answer["output"])]


def _is_reference(item: Json) -> bool:
    return item.get("type") == REFERENCE


def _unknown(item_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"input: no item {shown(item_id)!r} is kept for this caller; send the item itself instead "
        "of a reference to it"
    )

"""Content blocks, one after another, in whatever order their pieces come.

Anthropic's clients know one open block at a time. The pieces of the first block that is not
whole go out at once; those of later ones wait until it is.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass(slots=True)
class Lane:
    """One block: as it begins, its pieces that are still to be sent, and what seals it.

    A call (`is_call`) is whole once its arguments are; all else when something follows it.
    """

    block: dict[str, Any]
    is_call: bool = False
    unsent: list[Mapping[str, Any]] = field(default_factory=list)
    seal: Callable[[], Mapping[str, Any]] | None = None
    arguments: list[str] = field(default_factory=list)
    index: int | None = None

    @property
    def kind(self) -> str:
        return str(self.block["type"])

    def add(self, delta: Mapping[str, Any]) -> None:
        self.unsent.append(delta)

    def add_arguments(self, text: str) -> None:
        if text:
            self.arguments.append(text)
            self.add({"type": "input_json_delta", "partial_json": text})

    @property
    def is_whole(self) -> bool:
        if not self.is_call:
            return True
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            # Asked after each piece: most can be told from their last letter.
            return False
        try:
            return isinstance(json.loads("".join(self.arguments)), dict)
        except (ValueError, RecursionError):
            return False


class Lanes:
    """The blocks that are not closed yet, in order; `events` gives what can be told by now."""

    def __init__(self) -> None:
        self._lanes: list[Lane] = []
        self._count = 0

    @property
    def last(self) -> Lane | None:
        return self._lanes[-1] if self._lanes else None

    def open(self, lane: Lane) -> Lane:
        """Returns it, to be fed from then on."""
        self._lanes.append(lane)
        return lane

    def events(self) -> Iterator[Event]:
        while self._lanes:
            live = self._lanes[0]
            yield from self._shown(live)
            if len(self._lanes) == 1 or not live.is_whole:
                return
            yield from self._closed(live)

    def end(self) -> Iterator[Event]:
        while self._lanes:
            yield from self._shown(self._lanes[0])
            yield from self._closed(self._lanes[0])

    def _shown(self, lane: Lane) -> Iterator[Event]:
        if lane.index is None:
            lane.index, self._count = self._count, self._count + 1
            yield {
                "type": "content_block_start",
                "index": lane.index,
                "content_block": lane.block,
            }
        for delta in lane.unsent:
            yield {"type": "content_block_delta", "index": lane.index, "delta": delta}
        lane.unsent.clear()

    def _closed(self, lane: Lane) -> Iterator[Event]:
        self._lanes.remove(lane)
        if lane.seal is not None:
            yield {"type": "content_block_delta", "index": lane.index, "delta": lane.seal()}
        yield {"type": "content_block_stop", "index": lane.index}

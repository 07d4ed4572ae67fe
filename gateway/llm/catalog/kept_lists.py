"""The last good copy of every provider's model lists, on disk, readable by nobody else."""

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

from gateway.llm.catalog.dated_listing import DatedListing
from gateway.llm.listing import Listing, ListingKind

logger = logging.getLogger(__name__)

_KINDS = frozenset(get_args(ListingKind))


class KeptLists:
    """One file for each provider in a folder, which is made when it is needed.

    What cannot be read or written is logged and done without: the lists will come again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, provider: str) -> list[DatedListing]:
        """What was kept; nothing if that is nothing or no longer readable."""
        try:
            records = json.loads(self._file(provider).read_bytes())["listings"]
            return [_dated(record) for record in records if record["kind"] in _KINDS]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("kept model lists of %s are unreadable: %s", provider, type(error))
            return []

    def write(self, provider: str, lists: Sequence[DatedListing]) -> None:
        written = json.dumps(
            {"provider": provider, "listings": [_record(one) for one in lists]},
            separators=(",", ":"),
        )
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._file(provider), written.encode())
        except OSError as error:
            logger.warning("model lists of %s were not kept: %s", provider, error.strerror)

    def _file(self, provider: str) -> Path:
        return self._folder / f"{quote(provider, safe='')}.json"


def _replace(file: Path, content: bytes) -> None:
    """All or nothing, also for whoever reads at this moment."""
    # It makes the file with the mode 0600.
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(content)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _record(dated: DatedListing) -> dict[str, Any]:
    listing = dated.listing
    return {
        "kind": listing.kind,
        "subject": listing.subject,
        "as_of": dated.as_of.isoformat(),
        "body": listing.body,
    }


def _dated(record: dict[str, Any]) -> DatedListing:
    listing = Listing(record["kind"], record["body"], record.get("subject"))
    return DatedListing(listing, date.fromisoformat(record["as_of"]))

"""Keys by which callers are known: made here, kept as hashes only, and found again by them."""

import hmac
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeVar

Holder = TypeVar("Holder")

PREFIX = "gw_"
_HASH = re.compile(r"[0-9a-f]{64}")


def new_key() -> str:
    """A key that cannot be guessed, such as `gw_` and 43 characters; it is shown only once."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What is kept of a key; a slow hash would protect nothing more, for nobody chose the key."""
    return sha256(key.encode()).hexdigest()


def is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def holder(ring: Mapping[str, Holder], key: str) -> Holder | None:
    """Whose key it is, on a ring of `hashed` keys; every key takes the same time to look up."""
    wanted = hashed(key)
    found = None
    for kept, owner in ring.items():
        if hmac.compare_digest(kept, wanted):
            found = owner
    return found

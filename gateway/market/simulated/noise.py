"""Noise without state: the same key gives the same bytes, on every machine and in every run."""

from functools import lru_cache
from hashlib import blake2b, shake_128


def noise_bytes(key: str, count: int) -> bytes:
    return shake_128(key.encode()).digest(count)


@lru_cache(maxsize=6144)
def noise_at(key: str, index: int) -> float:
    """One number in [-1, 1)."""
    digest = blake2b(f"{key}:{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**63 - 1

"""Keeps what a process remembers of a database as new as what other processes wrote there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from gateway.errors import Unavailable

logger = logging.getLogger(__name__)


async def keep_refreshing(
    refresh: Callable[[], Awaitable[object]], *, seconds: float, otherwise: str
) -> NoReturn:
    """Every so many seconds, until it is cancelled; `otherwise` is what is so where it fails."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await refresh()
        except Unavailable as error:
            logger.warning("%s: %s", otherwise, error)
        except Exception:
            # Without the next one, nothing new would be known until the next start.
            logger.exception("%s", otherwise)

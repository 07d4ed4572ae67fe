"""When Python looks for garbage: never among what was loaded to stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """What a start imports and opens stays: to look for garbage among it takes a tenth of it.

    Whatever lives longer collects again as soon as it is open.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def collect_what_comes_later() -> None:
    """What is open now stays until the end: the collector need not look at it again and again.

    That was a fifth of the work under load. Until now, the collector may have been off.
    """
    gc.collect()
    gc.freeze()
    gc.enable()

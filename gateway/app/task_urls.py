"""Where the document of a task opens in a browser."""

from collections.abc import Callable

from gateway.documents.freshness import Freshness
from gateway.documents.registry import Registry
from gateway.sources.tasks import TaskSource


def task_urls(public_url: str) -> Callable[[str], str]:
    """Gives the address of a task by its ID."""
    registry = Registry([], Freshness(), public_url=public_url)
    return lambda task_id: registry.url(TaskSource.pattern.format(id=task_id))

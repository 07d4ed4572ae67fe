"""What agents hear of, and whom people hear of them by: watchers, schedules and webhooks out."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from gateway.agents.agents import Agents
from gateway.agents.notifications import Notifications
from gateway.agents.watchers.files import FileWatcher
from gateway.agents.watchers.git import GitWatcher
from gateway.agents.watchers.marks import Marks
from gateway.agents.watchers.schedule import ScheduleWatcher
from gateway.agents.webhooks_out import WebhooksOut
from gateway.config.agents_file import AgentsConfig
from gateway.downstream.webhook import WebhookSender
from gateway.storage.database import Database


@asynccontextmanager
async def watching(
    config: AgentsConfig, agents: Agents, notifications: Notifications, database: Database
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for watcher in _watchers(config, agents, Marks(database)):
            await stack.enter_async_context(watcher)
        if config.webhooks_out:
            sender = await stack.enter_async_context(WebhookSender())
            out = WebhooksOut(database, notifications, sender, config.webhooks_out)
            await stack.enter_async_context(out)
        yield


def _watchers(
    config: AgentsConfig, agents: Agents, marks: Marks
) -> Iterator[AbstractAsyncContextManager[object]]:
    for repository in config.git:
        yield GitWatcher(repository, agents.publish, marks)
    for folder in config.files:
        yield FileWatcher(folder, agents.publish, marks)
    for schedule in config.schedules:
        yield ScheduleWatcher(schedule, agents.publish, marks)

"""What is watched for agents, in `agents.yaml`: repositories, files, and the clock."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from gateway.agents.watchers.settings import FileWatch, GitWatch, Schedule
from gateway.config.agents_formats import Cron, Zone, zone
from gateway.config.strict import Listed, Name, Strict, Text

# As folders are called; patterns of `hears` match it, and no topic holds it.
WatchName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Often = Annotated[float, Field(ge=0.1, le=3_600)]

_GIT = GitWatch("", Path())
_FILES = FileWatch("", Path())


class GitWatchConfig(Strict):
    repository: Text
    name: WatchName
    branches: Listed[Text] = _GIT.branches
    max_diff_characters: Annotated[int, Field(ge=1_000, le=1_000_000)] = _GIT.most_diff_characters
    every_seconds: Often = _GIT.every_seconds

    def watch(self, folder: Path) -> GitWatch:
        """A path that is not whole begins at `folder`."""
        return GitWatch(
            self.name,
            folder / Path(self.repository).expanduser(),
            branches=self.branches,
            most_diff_characters=self.max_diff_characters,
            every_seconds=self.every_seconds,
        )


class FileWatchConfig(Strict):
    path: Text
    name: WatchName
    include: Listed[Text] = _FILES.include
    ignore: Listed[Text] = _FILES.ignore
    debounce_seconds: Often = _FILES.debounce_seconds

    def watch(self, folder: Path) -> FileWatch:
        """A path that is not whole begins at `folder`."""
        return FileWatch(
            self.name,
            folder / Path(self.path).expanduser(),
            include=self.include,
            ignore=self.ignore,
            debounce_seconds=self.debounce_seconds,
        )


class WatchConfig(Strict):
    git: Listed[GitWatchConfig] = ()
    files: Listed[FileWatchConfig] = ()


class ScheduleConfig(Strict):
    """When an event `schedule:{name}` happens."""

    name: Name
    cron: Cron
    zone: Zone = "UTC"
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.name, self.cron, zone(self.zone), self.data)

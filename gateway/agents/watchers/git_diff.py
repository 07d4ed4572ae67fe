"""What a commit changed: its files, and as much of its diff as an agent may be told."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from gateway.agents.watchers.git_apis import Line

LANGUAGES: Mapping[str, str] = {
    ".bash": "shell",
    ".c": "c",
    ".cc": "c++",
    ".cpp": "c++",
    ".cs": "c#",
    ".cxx": "c++",
    ".dart": "dart",
    ".ex": "elixir",
    ".exs": "elixir",
    ".go": "go",
    ".h": "c",
    ".hpp": "c++",
    ".hs": "haskell",
    ".java": "java",
    ".js": "javascript",
    ".jsx": "javascript",
    ".kt": "kotlin",
    ".lua": "lua",
    ".m": "objective-c",
    ".mjs": "javascript",
    ".php": "php",
    ".pl": "perl",
    ".proto": "protobuf",
    ".ps1": "powershell",
    ".py": "python",
    ".pyi": "python",
    ".r": "r",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".sh": "shell",
    ".sql": "sql",
    ".swift": "swift",
    ".ts": "typescript",
    ".tsx": "typescript",
    ".vue": "vue",
    ".zig": "zig",
}
"""By the ending of a file; what has none of them is no code."""
# Of a file that has no ending, its name is one.
_TEXTS = frozenset(
    ".cfg .conf .css .csv .env .gitattributes .gitignore .gitmodules .gradle .htm .html .ini "
    ".ipynb .json .lock .md .npmrc .pem .properties .rst .svg .tf .toml .txt .xml .yaml .yml "
    "dockerfile jenkinsfile makefile".split()
)

_STATUS = {"A": "added", "D": "deleted", "R": "renamed", "C": "added"}
_FILE = re.compile(r'^diff --(?:git "?a/.* "?b/|cc |combined )(?P<path>.*?)"?$')
_HUNK = re.compile(r"^(?P<marks>@@+) ")
_BINARY = "Binary files differ"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """Of a binary file nobody counts lines. `before` is the path that a renamed one had."""

    path: str
    status: str
    added_lines: int | None = None
    deleted_lines: int | None = None
    before: str | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether git shows it as binary, while by its name it is code or text."""
        is_text = self.ending in LANGUAGES or self.ending in _TEXTS
        return is_text and self.added_lines is None

    @property
    def ending(self) -> str:
        path = PurePosixPath(self.path)
        return (path.suffix or path.name).lower()

    @property
    def language(self) -> str | None:
        return LANGUAGES.get(PurePosixPath(self.path).suffix.lower())

    def as_json(self) -> Mapping[str, Any]:
        told: dict[str, Any] = {
            "path": self.path,
            "status": self.status,
            "added_lines": self.added_lines,
            "deleted_lines": self.deleted_lines,
        }
        if self.language is not None:
            told["language"] = self.language
        if self.before is not None:
            told["previous_path"] = self.before
        if self.added_lines is None:
            told["is_binary"] = True
        return told


@dataclass(frozen=True, slots=True)
class Changes:
    """`note` says what of the diff is left out or was to be hidden, and why."""

    files: Sequence[ChangedFile] = ()
    diff: str = ""
    note: str | None = None


def changed_files(output: bytes) -> Sequence[ChangedFile]:
    """From what `git diff-tree --raw --numstat -z` says."""
    fields = iter(output.decode("utf-8", "replace").split("\0"))
    status: dict[str, str] = {}
    files: list[ChangedFile] = []
    for field in fields:
        if field.startswith(":"):
            kind = field.rsplit(" ", 1)[-1][:1]
            path = next(fields, "")
            status[next(fields, "") if kind in "RC" else path] = _STATUS.get(kind, "modified")
        elif field.count("\t") == 2:
            files.append(_counted(field, fields, status))
    return files


def _counted(field: str, rest: Iterator[str], status: Mapping[str, str]) -> ChangedFile:
    added, deleted, path = field.split("\t")
    before = None if path else next(rest, "")
    path = path or next(rest, "")
    return ChangedFile(path, status.get(path, "modified"), _count(added), _count(deleted), before)


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def merged_files(diff: str) -> Sequence[ChangedFile]:
    """From a combined diff, which says only what a merge has changed by itself."""
    counts = Counter((line.file, line.is_added) for line in lines_of(diff))
    counted = [
        ChangedFile(path, "modified", counts[path, True], counts[path, False])
        for path in dict.fromkeys(file for file, _ in counts)
    ]
    return [*counted, *(ChangedFile(path, "modified") for path in _binaries(diff))]


def _binaries(diff: str) -> Iterator[str]:
    path = ""
    for text in diff.split("\n"):
        if header := _FILE.match(text):
            path = header["path"]
        elif text == _BINARY:
            yield path


def patterns(files: Sequence[ChangedFile], *, magic: str) -> Sequence[str]:
    """Of the endings of these files: so few, and none of them what a repository has named."""
    return [f":({magic},icase)*{ending}" for ending in sorted({one.ending for one in files})]


def with_note(changes: Changes, note: str) -> Changes:
    return replace(changes, note=f"{changes.note}; {note}" if changes.note else note)


def lines_of(diff: str) -> Iterator[Line]:
    """Those that were added or taken away, of a diff with one parent or with several."""
    path, columns = "", 0
    for text in diff.split("\n"):
        if header := _FILE.match(text):
            path, columns = header["path"], 0
        elif hunk := _HUNK.match(text):
            columns = len(hunk["marks"]) - 1
        elif columns and (marks := text[:columns].strip()) and marks[0] in "+-":
            yield Line(path, marks[0] == "+", text[columns:])


def cut_diff(
    diff: str, files: Sequence[ChangedFile], *, most_characters: int, has_more: bool = False
) -> Changes:
    """The diff up to its last whole line within so many characters."""
    if len(diff) <= most_characters and not has_more:
        return Changes(files, diff)
    kept = diff[: diff.rfind("\n", 0, most_characters) + 1]
    # One that was renamed can be shown as two.
    begun = min(sum(bool(_FILE.match(line)) for line in kept.split("\n")), len(files))
    note = (
        f"the diff is cut after {len(kept):,} characters: it shows {begun:,} of {len(files):,} "
        "files, the last of them perhaps in part"
    )
    return Changes(files, kept, note)

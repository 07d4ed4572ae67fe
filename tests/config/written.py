"""Settings files of one test."""

from pathlib import Path


def written(folder: Path, text: str, name: str = "gateway.yaml") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file

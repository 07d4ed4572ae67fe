"""The tool definitions that were released, as clients have them frozen."""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "golden" / "tools.json"


def released() -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return tools


def write(tools: list[dict[str, Any]]) -> None:
    FILE.write_text(json.dumps(tools, indent=1, ensure_ascii=False) + "\n", "utf-8")

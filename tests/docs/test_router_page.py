"""What docs/router.md says of errors is what they are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import GatewayError, NotFound

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "router.md").read_text("utf-8")
ROWS = re.findall(r"^\| [45]\d\d \| (.*?) \|", PAGE, re.MULTILINE)
# A start that fails answers nobody, and of a tool's failure the model is told.
UNHEARD = {"configuration", "tool_failed", "tool_not_found"}
OPENAI_WORDS = {"unauthenticated": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}


def _every(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _every(narrower)


def _missing() -> Iterator[str]:
    """What the gateway says is not found, wherever it does."""
    texts = [file.read_text("utf-8") for file in (ROOT / "gateway").rglob("*.py")]
    for tree in (ast.parse(text) for text in texts if "NotFound(" in text):
        for call in ast.walk(tree):
            match call:
                case ast.Call(func=ast.Name(id="NotFound"), keywords=named):
                    said = {one.arg: one.value for one in named}
                    if isinstance(what := said.get("what"), ast.Constant):
                        yield str(what.value)


def test_the_page_names_every_code_of_an_error_and_no_other() -> None:
    kinds = [one for one in _every(GatewayError) if one.__module__ == "gateway.errors"]
    codes = {OPENAI_WORDS.get(one.code, one.code) for one in kinds}
    codes |= {f"{what}_{NotFound.code}" for what in _missing()}
    # That one stands in the sentence beside the others.
    said = {code for row in ROWS for code in re.findall(r"`(\w+)`", row)} | {NotFound.code}
    assert said == codes - UNHEARD

"""The answer of a tool as text: what clients and models read of it."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.errors import BadAnswer
from gateway.tools.tool import Answer

MOST_CHARACTERS = 1_000_000  # ten times what any model reads of one result


def written(answer: Answer) -> str:
    """As JSON, or as the texts of its items where it has some.

    Raises:
        BadAnswer: it is too large, or is no JSON.
    """
    text = _items(answer) if answer.items is not None else _json(answer.content)
    if len(text) > MOST_CHARACTERS:
        raise BadAnswer(
            f"the tool's answer has {len(text):,} characters, more than the {MOST_CHARACTERS:,} "
            "that can be passed on; ask it for less"
        )
    return text


def _json(content: Mapping[str, Any]) -> str:
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadAnswer(f"the tool's answer cannot be written as JSON: {error}") from error


def _items(answer: Answer) -> str:
    return "\n".join(map(_item, answer.items or ())) or _json(answer.content)


def _item(item: Mapping[str, Any]) -> str:
    match item:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "resource_link", "uri": str(uri)}:
            return f"[a link: {uri}]"
        case {"type": "resource", "resource": {"text": str(text)}}:
            return text
        case {"data": str(content)}:
            kind = item.get("mimeType") or item.get("type")
            return f"[{kind}, {len(content) * 3 // 4:,} bytes: only the user sees it]"
    return f"[{item.get('type', 'something')}]"

"""How much memory a model takes on the server that runs it, where that server says it."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import GatewayError
from gateway.llm.model import Model
from gateway.llm.provider.provider import Provider

_LATEST = ":latest"


async def loaded_bytes(provider: Provider, model: Model) -> int | None:
    """Main memory and that of graphics cards together, while the model is loaded; else None.

    Only Ollama says it: https://docs.ollama.com/api/ps.
    """
    if provider.kind != "ollama":
        return None
    try:
        said = await provider.channel.ask("GET", f"{provider.addresses.base}/api/ps")
    except GatewayError:
        # It is told beside an answer, which is not worse without it.
        return None
    rows = said.get("models") if isinstance(said, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and _name(str(row.get("name", ""))) == _name(model.name):
            return _size(row)
    return None


def _size(row: Mapping[str, Any]) -> int | None:
    """`size` is all of it, `size_vram` the part on graphics cards; older servers say one only."""
    known = [row[name] for name in ("size", "size_vram") if isinstance(row.get(name), int)]
    return max(known, default=None)


def _name(name: str) -> str:
    return name.removesuffix(_LATEST)

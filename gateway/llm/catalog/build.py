"""Builds the embedded file: `python -m gateway.llm.catalog.build ../shared/data/catalog`.

The folder has one file of each kind, with its day in its name, such as
`models_dev_2026-07-02.json`, `openrouter_models_2026-08-01.json` and
`newest_models_overlay_2026-10.json`. The newer one wins; see `merged`.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError
from gateway.llm.catalog import embedded, models_dev, openrouter, overlay
from gateway.llm.catalog.assembly import trust
from gateway.llm.catalog.embedded import EmbeddedSource
from gateway.llm.catalog.facts import Facts, bare_name
from gateway.llm.catalog.json_values import day

ByName = dict[tuple[str, str], Facts]


@dataclass(frozen=True, slots=True)
class Records:
    """One recorded file."""

    body: Any
    as_of: date


def newest(folder: Path, prefix: str) -> Records:
    """The newest of the files whose name is the prefix and a day, or a month, which is its first.

    Raises:
        ConfigurationError: there is none.
    """
    dated = {day(file.stem.removeprefix(prefix)): file for file in folder.glob(f"{prefix}*.json")}
    days = [one for one in dated if one is not None]
    if not days:
        raise ConfigurationError(f"{folder} has no {prefix}YYYY-MM-DD.json")
    return Records(json.loads(dated[max(days)].read_text("utf-8")), max(days))


def merged(models: Records, routed: Records, newer: Records) -> Iterable[tuple[str, Facts]]:
    """All facts, by provider and name.

    OpenRouter's own list replaces what models.dev says of OpenRouter: it is newer, and whatever
    it does not have is gone. The hand-made list wins over both for the maker's own API. What no
    list says of a model comes from the same model at another provider, but never its terms:
    limits, what its answers may be bound to, and prices.
    """
    known: ByName = {
        (provider, facts.name): facts
        for provider, facts in models_dev.read(models.body, models.as_of)
    }
    routed_facts = openrouter.read(routed.body, routed.as_of)
    known = {key: facts for key, facts in known.items() if key[0] != "openrouter"} | {
        ("openrouter", facts.name): facts.filled_from_kin(
            known.get(("openrouter", facts.name), facts)
        )
        for facts in routed_facts
    }
    for provider, facts in overlay.read(newer.body, newer.as_of):
        older = known.get((provider, facts.name))
        resold = known.get(("openrouter", f"{provider}/{facts.name}"))
        facts = facts.filled_from(older) if older else facts
        # What OpenRouter resells has the limits of its maker, but not its price.
        facts = facts.filled_from(replace(resold, price=None)) if resold else facts
        known[provider, facts.name] = facts
    return _with_kin(known)


def _with_kin(known: ByName) -> Iterator[tuple[str, Facts]]:
    by_bare_name: dict[str, Facts] = {}
    for provider, name in sorted(known, key=lambda key: trust(key[0])):
        bare = bare_name(name)
        facts = known[provider, name]
        by_bare_name[bare] = by_bare_name.get(bare, facts).filled_from_kin(facts)
    for (provider, name), facts in sorted(known.items(), key=lambda item: item[0]):
        kin = replace(by_bare_name[bare_name(name)], description=facts.description)
        yield provider, facts.filled_from_kin(kin)


def built(folder: Path) -> bytes:
    models = newest(folder, "models_dev_")
    routed = newest(folder, "openrouter_models_")
    newer = newest(folder, "newest_models_overlay_")
    sources = (
        EmbeddedSource("models.dev", models.as_of, "MIT"),
        EmbeddedSource("OpenRouter's model list", routed.as_of, "API data"),
        EmbeddedSource("newer facts, collected by hand", newer.as_of, "facts"),
    )
    return embedded.write(merged(models, routed, newer), sources)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python -m gateway.llm.catalog.build FOLDER")
    file = Path(str(embedded.FILE))
    file.write_bytes(built(Path(arguments[0])))
    print(f"{file.name}: {file.stat().st_size} bytes")  # noqa: T201 - it is a command


if __name__ == "__main__":
    main(sys.argv[1:])

"""Reads the YAML that ships with the gateway."""

from importlib.resources import files
from typing import Any

import yaml

# libyaml's reader takes a tenth of the time, but not every build of PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shipped(package: str, name: str) -> Any:
    """What the file `name` beside the modules of `package` holds."""
    return yaml.load(files(package).joinpath(name).read_text("utf-8"), _LOADER)

"""YAML files as plain values, in which `${NAME}` stands for a variable of the environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway.config.strict import EnvironmentText, place
from gateway.errors import ConfigurationError

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
# What the environment or the command line names is added to what the file names.
_ADDED = ("callers", "limits")


def read(file: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Raises:
    ConfigurationError: names the file, and never quotes it: a secret may stand in it.
    """
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" from line {mark.line + 1}, column {mark.column + 1} on" if mark else ""
        raise ConfigurationError(f"{file}: is not YAML{at}") from None
    if not isinstance(values or {}, dict):
        raise ConfigurationError(f"{file}: takes keys and values, such as 'port: 3001'")
    filled: dict[str, Any] = _with_variables(values or {}, env, file.name, ())
    return filled


def merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The others win."""
    result = dict(values)
    for name, value in others.items():
        before = result.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            result[name] = merged(before, value)
        elif name in _ADDED and isinstance(value, list) and isinstance(before, list):
            result[name] = [*before, *value]
        else:
            result[name] = value
    return result


def _with_variables(
    value: Any, env: Mapping[str, str], file_name: str, at: tuple[str | int, ...]
) -> Any:
    if isinstance(value, dict):
        return {
            name: _with_variables(one, env, file_name, (*at, str(name)))
            if isinstance(name, str)
            else one
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [
            _with_variables(one, env, file_name, (*at, number)) for number, one in enumerate(value)
        ]
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    if not env.get(match[1]):
        raise ConfigurationError(
            f"{file_name}: {place(at)}: the environment has no {match[1]}; set it or leave it"
        )
    return EnvironmentText(env[match[1]], match[1])

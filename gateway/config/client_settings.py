"""What the environment says to whoever asks a gateway, rather than being one."""

import os
from collections.abc import Mapping

from gateway.errors import ConfigurationError

KEY_VARIABLE = "GATEWAY_API_KEY"


def client_key(environment: Mapping[str, str] | None = None) -> str | None:
    """The key to show a gateway; an empty variable is not set.

    Raises:
        ConfigurationError: it could not be sent, said without it.
    """
    env = os.environ if environment is None else environment
    key = (env.get(KEY_VARIABLE) or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(f"{KEY_VARIABLE}: has characters that no key has")
    return key or None

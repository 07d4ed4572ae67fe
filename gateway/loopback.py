"""Whether a host is this machine itself, and so out of everybody else's reach."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_this_machine(host: str) -> bool:
    """Of a name or an address without a port, such as `localhost`, `127.0.0.1`, `::1`, `[::1]`."""
    name = host.removeprefix("[").removesuffix("]").lower()
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def first_public(names: Iterable[str]) -> str | None:
    """The first name, with or without a port, by which others may reach this machine."""
    return next((name for name in names if not is_this_machine(_without_port(name))), None)


def _without_port(authority: str) -> str:
    if is_this_machine(authority):
        return authority
    try:
        return urlsplit(f"//{authority}").hostname or authority
    except ValueError:
        return authority

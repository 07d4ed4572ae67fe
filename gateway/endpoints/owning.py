"""Who may see and steer what agents do: owners of the gateway, and nobody else."""

from gateway.caller import Caller
from gateway.endpoints.authentication import reader, spender
from gateway.errors import PermissionDenied


def owner(who: Caller) -> Caller:
    """The caller, if what agents do is its business.

    Raises:
        Unauthenticated: it came without a key.
        PermissionDenied: its key is not an owner's.
    """
    if not reader(who).is_owner:
        raise PermissionDenied(
            f"what agents do is for owners of this gateway, and {who.name!r} is none; the key of "
            "an owner has is_owner: true in gateway.yaml"
        )
    return who


def acting_owner(who: Caller) -> Caller:
    """The same, if it came with a key: whoever may only read everything changes nothing.

    Raises:
        Unauthenticated: it came without a key.
        PermissionDenied: its key is not an owner's.
    """
    return owner(spender(who))

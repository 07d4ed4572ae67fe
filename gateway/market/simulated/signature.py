"""Who may use the account: key, time window and signature, checked as Binance does."""

import hmac
import re
from hashlib import sha256

from gateway.market.simulated.parameters import Parameters, missing
from gateway.market.simulated.wire import UNIT, Refusal

_KEY = re.compile(r"[A-Za-z0-9_-]{4,128}", re.ASCII)
_USUAL_WINDOW_MS = 5_000
_LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1_000


def is_signed(payload: str, signature: str, *, secret: str) -> bool:
    """Whether that is the HMAC-SHA256 of the percent-encoded text, in hexadecimal."""
    expected = hmac.new(secret.encode(), payload.encode(), sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.lower().encode())


def unsigned(text: str) -> str:
    """A query or a body without its signature, everything else as it was sent."""
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def check_key(sent: str | None, *, expected: str | None) -> None:
    """Refuse -2014 for what is no key, -2015 for a wrong one."""
    if sent is None or not _KEY.fullmatch(sent):
        raise Refusal(-2014, "API-key format invalid.", status=401)
    if expected is None or not hmac.compare_digest(sent, expected):
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def check_window(parameters: Parameters, *, now_ms: int) -> None:
    """Refuse -1021 for a request from too long ago or from the future."""
    timestamp = parameters.integer("timestamp")
    if timestamp is None:
        raise missing("timestamp")
    if timestamp >= 10**14:  # microseconds
        timestamp //= 1000
    window = parameters.decimal("recvWindow")
    window_ms = _USUAL_WINDOW_MS if window is None else window / UNIT
    if window_ms > _LONGEST_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000.")
    if timestamp >= now_ms + _AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def check_signature(parameters: Parameters, payload: str, *, secret: str) -> None:
    """Refuse -1022 when the payload was not signed with the secret."""
    if not is_signed(payload, parameters.required("signature"), secret=secret):
        raise Refusal(-1022, "Signature for this request is not valid.")

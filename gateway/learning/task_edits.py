"""Small edits of a prompt that leave its task as it is: typing errors, case, kind words."""

from collections.abc import Callable, Mapping
from random import Random

_BESIDE: Mapping[str, str] = {
    **dict(zip("qwertyuiop", "wertyuiopo", strict=True)),
    **dict(zip("asdfghjkl", "sdfghjklk", strict=True)),
    **dict(zip("zxcvbnm", "xcvbnmn", strict=True)),
}
_BEFORE = ("please ", "hi, ", "Hello! ", "hey, ", "Could you please help: ", "Hi there, ", "pls ")
_AFTER = (" please", " thanks", " Thank you!", " thx", ", please.", " thanks in advance")
SHORTEST_MISTYPED = 4
# One word in so many is mistyped, and at least one.
MISTYPED_WORDS = 12


def edited(text: str, *, seed: int) -> str:
    """The same seed always edits in the same way."""
    chance = Random(seed)
    return chance.choice(tuple(EDITS.values()))(text, chance)


def _mistyped(text: str, chance: Random) -> str:
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) >= SHORTEST_MISTYPED]
    for at in chance.sample(places, min(len(places), 1 + len(places) // MISTYPED_WORDS)):
        words[at] = _with_error(words[at], chance)
    return " ".join(words)


def _with_error(word: str, chance: Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.choice(("dropped", "doubled", "swapped", "beside"))
    if kind == "dropped":
        return word[:at] + word[at + 1 :]
    if kind == "doubled":
        return word[:at] + word[at] + word[at:]
    if kind == "swapped":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + _BESIDE.get(word[at].lower(), word[at]) + word[at + 1 :]


def _lower(text: str, _: Random) -> str:
    return text.lower()


def _upper(text: str, _: Random) -> str:
    return text.upper()


def _without_marks(text: str, _: Random) -> str:
    return text.rstrip(" ?!.")


def _greeted(text: str, chance: Random) -> str:
    return chance.choice(_BEFORE) + text


def _thanked(text: str, chance: Random) -> str:
    return text + chance.choice(_AFTER)


EDITS: Mapping[str, Callable[[str, Random], str]] = {
    "mistyped": _mistyped,
    "lower case": _lower,
    "upper case": _upper,
    "no mark at the end": _without_marks,
    "greeted": _greeted,
    "thanked": _thanked,
}

"""What a model that held too little says of the size of a request."""

import re
from dataclasses import dataclass, replace

from gateway.errors import GatewayError
from gateway.llm.features import Features
from gateway.llm.lineup import SURE_CONTEXT_TOKENS
from gateway.llm.model import Model

# A larger number in a message is an ID.
MOST_TOKENS = 50_000_000
# Guesses are within a factor of two of what providers count; a refusal may have other reasons.
MOST_RATIO = 4.0
# What is more than so many times as large as a model was meant for a larger one from the first.
MOST_OVER = 2

_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d{3,})"
_LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"> ?{_NUMBER}",
        rf"{_NUMBER} maximum",
        rf"(?:maximum|limit|length|size|window|allowed)[^\d>]{{0,40}}{_NUMBER}",
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """In tokens: how many the model holds, and how many the request has; None was not said."""

    holds: int | None = None
    needed: int | None = None


def read_refusal(message: str) -> Said:
    """The counts in the words of OpenAI, Anthropic, Google, xAI, vLLM, llama.cpp and others."""
    limits = (pattern.search(message) for pattern in _LIMITS)
    found = next((one for one in limits if one is not None), None)
    if found is None:
        return Said()
    holds = _count(found[1])
    counts = [_count(number) for number in re.findall(_NUMBER, message)]
    larger = [count for count in counts if holds < count <= MOST_TOKENS]
    return Said(holds, max(larger, default=None))


def held_tokens(model: Model) -> int:
    """What it holds, as far as is known."""
    known = [one for one in (model.context_tokens, model.max_input_tokens) if one is not None]
    return min(known, default=SURE_CONTEXT_TOKENS)


def held_by(model: Model, error: GatewayError) -> int:
    """What it holds by the words of its refusal, or else as far as is known."""
    return read_refusal(str(error)).holds or held_tokens(model)


def corrected(asked: Features, model: Model, error: GatewayError) -> Features:
    """The request, now known to need more than the model holds that refused it."""
    said, holds = read_refusal(str(error)), held_by(model, error)
    output_tokens = asked.needs.context_tokens - asked.input_tokens
    # Another number in its words may be an ID, or a date.
    most = max(MOST_RATIO * asked.needs.context_tokens, MOST_OVER * holds)
    counted = said.needed if said.needed is not None and said.needed <= most else 0
    needed = max(asked.needs.context_tokens, counted, holds + 1)
    input_tokens = max(asked.input_tokens, needed - output_tokens)
    return replace(
        asked,
        needs=replace(asked.needs, context_tokens=needed),
        input_tokens=input_tokens,
        most_input_tokens=max(asked.most_input_tokens, input_tokens),
    )


def scaled(asked: Features, ratio: float) -> Features:
    """Another wording of a request whose input counted as so many times our guess."""
    if ratio <= 1:
        return asked
    input_tokens = round(asked.input_tokens * min(ratio, MOST_RATIO))
    more = input_tokens - asked.input_tokens
    return replace(
        asked,
        needs=replace(asked.needs, context_tokens=asked.needs.context_tokens + more),
        input_tokens=input_tokens,
        most_input_tokens=max(asked.most_input_tokens, input_tokens),
    )


def _count(number: str) -> int:
    return int(number.replace(",", ""))

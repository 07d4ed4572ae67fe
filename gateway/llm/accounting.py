"""What a call may cost at most before it begins, and what it did cost once it has ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from gateway.llm.messages import ChatRequest, Chunk, Usage
from gateway.llm.model import Model
from gateway.usage.call import Amount

MICRO = 1_000_000
BYTES_OF_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """`billed` is what the call is charged, `listed` what it costs by the list; None is unknown.

    `source` is provider (its own word), local, subscription, catalog (prices times usage),
    estimated (nobody counted the tokens to the end) or unknown.
    """

    billed_microusd: int | None
    listed_microusd: int | None
    source: str


FREE_OF_CHARGE = Cost(0, None, "provider")


def worst_amount(model: Model, *, input_tokens: int, output_tokens: int) -> Amount:
    """The most that a call of at most so many tokens takes from any limit."""
    return Amount(
        tokens=input_tokens + output_tokens,
        input_tokens=input_tokens,
        microusd=worst_microusd(model, input_tokens, output_tokens),
    )


def worst_microusd(model: Model, input_tokens: int, output_tokens: int) -> int | None:
    if model.tier == "free":
        return 0
    return model.price.worst_microusd(input_tokens, output_tokens) if model.price else None


def most_answers(asked: int | None, model: Model, *, default_tokens: int) -> Sequence[int]:
    """How many tokens one answer may have at most: the freest bound first, the tightest last.

    A caller that set no bound gets the model's own, or `default_tokens` where that is too much.
    """
    if asked is not None:
        # What is reserved is what is sent: a provider may think of another bound than we do.
        return (min(asked, model.max_output_tokens or asked),)
    full = model.max_output_tokens or model.context_tokens
    if full is None:
        return (default_tokens,)
    return (full, default_tokens) if default_tokens < full else (full,)


def allowances(
    request: ChatRequest, model: Model, *, default_tokens: int
) -> Iterator[tuple[ChatRequest, int]]:
    """Requests to reserve for, the freest first, each with the most that it may answer.

    A bound that is not the caller's is sent along, so that it holds.
    """
    asked = request.max_output_tokens
    unsaid = model.max_output_tokens or model.context_tokens if asked is None else asked
    for most in most_answers(asked, model, default_tokens=default_tokens):
        bounded = request if most == unsaid else replace(request, max_output_tokens=most)
        yield bounded, most * request.choices


def cost(usage: Usage, model: Model, *, is_estimated: bool = False) -> Cost:
    listed = _microusd(usage.list_usd)
    if listed is None and model.price is not None:
        listed = model.price.cost_microusd(usage)
    if model.is_local:
        return Cost(0, listed, "local")
    if (billed := _microusd(usage.billed_usd)) is not None:
        return Cost(billed, listed, "provider")
    if model.is_included:
        return Cost(0, listed, "subscription")
    if listed is None:
        return Cost(None, None, "unknown")
    return Cost(listed, listed, "estimated" if is_estimated else "catalog")


class Meter:
    """Counts an answer as it comes, for the time when its provider does not say the count."""

    def __init__(self, *, input_tokens: int) -> None:
        self._input_tokens = input_tokens
        self._reported: Usage | None = None
        self._pieces = 0
        self._bytes = 0
        self._is_finished = False
        self.tool_calls: set[tuple[int, int]] = set()

    def count(self, chunk: Chunk) -> None:
        self._reported = chunk.usage or self._reported
        self._is_finished = self._is_finished or chunk.finish_reason is not None
        written = _weight(chunk.text)
        if chunk.refusal:
            written += _weight(chunk.refusal)
        for piece in chunk.reasoning:
            written += _weight(piece.text)
        for call in chunk.tool_calls:
            written += _weight(call.arguments)
            self.tool_calls.add((chunk.choice, call.index))
        self._bytes += written
        self._pieces += written > 0

    @property
    def is_counted(self) -> bool:
        """Whether the provider counted the whole answer itself."""
        return self._reported is not None and self._is_finished

    @property
    def usage(self) -> Usage:
        """What the provider counted, or else the best guess: hardly ever less than it will."""
        if self._reported is not None and self._is_finished:
            return self._reported
        guessed = max(self._pieces, self._bytes // BYTES_OF_A_TOKEN)
        if self._reported is None:
            return Usage(input_tokens=self._input_tokens, output_tokens=guessed)
        output_tokens = max(self._reported.output_tokens, guessed)
        return replace(self._reported, output_tokens=output_tokens)


def _weight(text: str) -> int:
    """Letters of other scripts are fewer to a token, the more bytes they need."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _microusd(dollars: str | None) -> int | None:
    if dollars is None:
        return None
    try:
        whole = int((Decimal(dollars) * MICRO).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        return None
    # What a call gives back is no cost: it would make room for others.
    return whole if whole >= 0 else None

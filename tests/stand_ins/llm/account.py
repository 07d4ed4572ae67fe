"""What a stand-in sells and what it billed for it, to the micro-dollar."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """A model and its prices: US dollars for a million tokens, so micro-dollars for one."""

    name: str
    input: Decimal = Decimal("0.5")
    output: Decimal = Decimal(2)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    is_included: bool = False
    context_tokens: int = 128_000
    max_output_tokens: int = 16_384
    has_tools: bool = True
    has_vision: bool = False

    def microusd(self, tokens: "Tokens") -> int:
        plain = max(tokens.input - tokens.cached - tokens.cache_write, 0)
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        cost = (
            plain * self.input
            + tokens.cached * read
            + tokens.cache_write * write
            + tokens.output * self.output
        )
        return int(cost.to_integral_value(ROUND_HALF_UP))


@dataclass(slots=True)
class Tokens:
    """`output` grows with every piece that is sent; reasoning is a part of it."""

    input: int = 0
    output: int = 0
    reasoning: int = 0
    cached: int = 0
    cache_write: int = 0


@dataclass(slots=True)
class Bill:
    """What one request costs so far; `is_final` once the stand-in will not send any more.

    `list_microusd` is its worth, `microusd` what is taken from the balance: nothing of what a
    subscription covers, and nothing of what failed by the provider's own word before it began.
    """

    id: str
    offer: Offer
    tokens: Tokens
    is_covered: bool = False
    is_waived: bool = False
    is_final: bool = False
    cost_usd: str | None = None

    @property
    def list_microusd(self) -> int:
        if self.cost_usd is not None:
            return int((Decimal(self.cost_usd) * 1_000_000).to_integral_value(ROUND_HALF_UP))
        return self.offer.microusd(self.tokens)

    @property
    def microusd(self) -> int:
        return 0 if self.is_covered or self.is_waived else self.list_microusd

    @property
    def usd(self) -> Decimal:
        return Decimal(self.microusd) / 1_000_000

    @property
    def list_usd(self) -> Decimal:
        return Decimal(self.list_microusd) / 1_000_000

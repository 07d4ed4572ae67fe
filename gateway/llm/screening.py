"""Which models can serve a request at all, and why each of the others cannot."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.llm.features import Features
from gateway.llm.lineup import (
    AUDIO,
    JSON_SCHEMA,
    SURE_CONTEXT_TOKENS,
    TEXT,
    TOOLS,
    VISION,
    Contender,
    abilities,
)
from gateway.llm.policy import Policy
from gateway.llm.route import Exclusion, Why

# More are counted, not listed.
MOST_LISTED = 20
ABILITIES: tuple[tuple[int, Why, str, str], ...] = (
    (TEXT, "text", "does not answer in text", "answers in text"),
    (TOOLS, "tools", "takes no tools", "takes tools"),
    (VISION, "vision", "reads no images", "reads images"),
    (AUDIO, "audio", "hears no audio", "hears audio"),
    (JSON_SCHEMA, "json_schema", "keeps to no JSON schema", "keeps to a JSON schema"),
)


@dataclass(slots=True)
class LeftOut:
    """The models that were left out so far; each once, for the first reason."""

    counts: Counter[Why] = field(default_factory=Counter)
    listed: list[Exclusion] = field(default_factory=list)
    payable: list[Contender] = field(default_factory=list)

    def add(self, one: Contender, why: Why, reason: str) -> None:
        self.counts[why] += 1
        if why in {"limit", "max_cost", "unpaid"} and one.tier == "paid":
            self.payable.append(one)
        if len(self.listed) < MOST_LISTED:
            self.listed.append(Exclusion(one.model.id, one.tier, why, reason))

    def add_many(self, contenders: list[Contender], why: Why) -> None:
        """Count models whose whole reason nobody will read."""
        self.counts[why] += len(contenders)
        if why == "unpaid":
            self.payable += contenders


class Screen:
    """What a request and the policy rule out, whatever happens at the moment."""

    def __init__(self, features: Features, policy: Policy) -> None:
        self._needed = abilities(features.needs)
        self._context_tokens = features.needs.context_tokens
        self._provider = policy.forced_provider
        self._takes_unpriced = policy.unknown_price == "allow"

    def sift(
        self, contenders: Iterable[Contender], *, may_pay: bool, left_out: LeftOut
    ) -> tuple[list[Contender], list[Contender]]:
        """Those that can serve, and those that perhaps can; the rest is left out."""
        sure: list[Contender] = []
        doubtful: list[Contender] = []
        out: dict[Why, list[Contender]] = {}
        needed, tokens, provider = self._needed, self._context_tokens, self._provider
        for one in contenders:
            if (
                one.lacks & needed
                or one.context_tokens < tokens
                or not (one.has_price or self._takes_unpriced)
                or (one.tier == "paid" and not may_pay)
                or (provider is not None and one.model.provider != provider)
            ):
                out.setdefault(self._why(one), []).append(one)
            elif one.doubts & needed or (tokens > SURE_CONTEXT_TOKENS and not one.is_context_known):
                doubtful.append(one)
            else:
                sure.append(one)
        for why, models in out.items():
            shown = max(MOST_LISTED - len(left_out.listed), 0)
            for one in models[:shown]:
                left_out.add(one, why, self._reason(one, why))
            left_out.add_many(models[shown:], why)
        return sure, doubtful

    def doubt(self, one: Contender) -> str:
        """What is not known of a model that perhaps can serve."""
        for ability, _, _, has in ABILITIES:
            if one.doubts & self._needed & ability:
                return f"the catalog does not know whether it {has}"
        return f"its context length is not known, and {self._context_tokens:,} tokens are needed"

    def _why(self, one: Contender) -> Why:
        if self._provider is not None and one.model.provider != self._provider:
            return "provider"
        for ability, why, *_ in ABILITIES:
            if one.lacks & self._needed & ability:
                return why
        if one.context_tokens < self._context_tokens:
            return "context"
        return "price" if not (one.has_price or self._takes_unpriced) else "unpaid"

    def _reason(self, one: Contender, why: Why) -> str:
        match why:
            case "provider":
                return f"LLM_PROVIDER leaves only {self._provider}"
            case "context":
                return (
                    f"holds {one.context_tokens:,.0f} tokens, and about "
                    f"{self._context_tokens:,} are needed"
                )
            case "price":
                return "its price is not known, so no budget could be kept"
            case "unpaid":
                return "it costs money, and neither a budget nor a paid tier is set"
        return next(lacks for _, kind, lacks, _ in ABILITIES if kind == why)

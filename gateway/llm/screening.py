"""Which models can serve a request at all, and why each of the others cannot."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gateway.caller import Caller
from gateway.llm.features import Features
from gateway.llm.field import Field
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
# What costs too much and is too small besides is left out for its size: no money would help, and
# neither would another key.
AFTER_SIZE: tuple[Why, ...] = ("permission", "price", "unpaid")


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


@dataclass
class Parted:
    """Models by whether they can serve a kind of request: surely, perhaps, or why not."""

    sure: list[Contender] = field(default_factory=list)
    doubtful: list[Contender] = field(default_factory=list)
    out: dict[Why, list[Contender]] = field(default_factory=dict)

    @cached_property
    def least_context(self) -> float:
        affected = (
            one for models in (self.sure, self.doubtful, *self._after_size) for one in models
        )
        return min((one.context_tokens for one in affected), default=0.0)

    @cached_property
    def field(self) -> Field:
        return Field(self.sure)

    @property
    def _after_size(self) -> Iterator[list[Contender]]:
        return (self.out.get(why, []) for why in AFTER_SIZE)


class Screen:
    """What a request and the policy rule out, whatever happens at the moment."""

    def __init__(self, features: Features, policy: Policy, caller: Caller) -> None:
        self._caller = caller
        self._may_use_all = "*" in caller.models
        self._needed = abilities(features.needs)
        self.context_tokens = features.needs.context_tokens
        self._provider = policy.forced_provider
        self._never_pays = policy.never_pays
        self._takes_unpriced = policy.unknown_price == "allow"

    def part(self, contenders: Iterable[Contender], *, may_pay: bool) -> Parted:
        """What the kind of request decides, whatever its size."""
        parted = Parted()
        needed, provider = self._needed, self._provider
        for one in contenders:
            if (
                one.lacks & needed
                or not (one.has_price or self._takes_unpriced)
                or (one.tier == "paid" and not may_pay)
                or (provider is not None and one.model.provider != provider)
                or not (self._may_use_all or self._caller.may_use_model(one.model.id))
            ):
                parted.out.setdefault(self._why(one), []).append(one)
            elif one.doubts & needed:
                parted.doubtful.append(one)
            else:
                parted.sure.append(one)
        return parted

    def kind(self, *, may_pay: bool) -> tuple[object, ...]:
        """Alike for all that part the same models alike."""
        return self._needed, self._provider, self._takes_unpriced, may_pay, self._caller.models

    def fitting(
        self, parted: Parted, left_out: LeftOut
    ) -> tuple[Sequence[Contender], Sequence[Contender]]:
        """Those that can serve, and those that perhaps can; the rest is left out."""
        tokens, out = self.context_tokens, parted.out
        sure: Sequence[Contender] = parted.sure
        doubtful: Sequence[Contender] = parted.doubtful
        if tokens > parted.least_context:
            out = _with_context(parted, tokens)
            doubtful = [one for one in doubtful if one.context_tokens >= tokens]
            sure = [one for one in sure if one.context_tokens >= tokens]
        if tokens > SURE_CONTEXT_TOKENS:
            doubtful = [*doubtful, *(one for one in sure if not one.is_context_known)]
            sure = [one for one in sure if one.is_context_known]
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
        return f"its context length is not known, and {self.context_tokens:,} tokens are needed"

    def _why(self, one: Contender) -> Why:
        if self._provider is not None and one.model.provider != self._provider:
            return "provider"
        for ability, why, *_ in ABILITIES:
            if one.lacks & self._needed & ability:
                return why
        if not self._caller.may_use_model(one.model.id):
            return "permission"
        return "price" if not (one.has_price or self._takes_unpriced) else "unpaid"

    def _reason(self, one: Contender, why: Why) -> str:
        match why:
            case "provider":
                return f"LLM_PROVIDER leaves only {self._provider}"
            case "context":
                return (
                    f"holds {one.context_tokens:,.0f} tokens, and about "
                    f"{self.context_tokens:,} are needed"
                )
            case "permission":
                return "this caller may not use it"
            case "price":
                return "its price is not known, so no budget could be kept"
            case "unpaid" if self._never_pays:
                return "it costs money, and this call may cost nothing"
            case "unpaid":
                return "it costs money, and neither a budget nor a paid tier is set"
        return next(lacks for _, kind, lacks, _ in ABILITIES if kind == why)


def _with_context(parted: Parted, tokens: int) -> dict[Why, list[Contender]]:
    out = {
        why: [one for one in models if why not in AFTER_SIZE or one.context_tokens >= tokens]
        for why, models in parted.out.items()
    }
    affected = [*parted.sure, *parted.doubtful]
    affected += [one for why in AFTER_SIZE for one in parted.out.get(why, ())]
    out["context"] = [one for one in affected if one.context_tokens < tokens]
    return {why: models for why, models in out.items() if models}

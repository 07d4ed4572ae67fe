"""One gateway for a month: a policy picks, the real ledger refuses or charges, the world answers.

All policies are callers of one ledger, each with limits of its own, so that they meet the same
requests, outages, quotas and budgets, and differ by nothing but what they choose.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.errors import LimitExceeded, Unavailable
from gateway.llm.accounting import FREE_OF_CHARGE, allowances, cost, worst_amount
from gateway.llm.messages import ChatRequest, Usage
from gateway.llm.model import Model
from gateway.llm.provider.health import Health
from gateway.llm.provider.pace import PaceRecord
from gateway.llm.scoring import Measured
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Dimension, Limit, Shortage
from gateway.usage.reservation import Reservation
from gateway.usage.window import Window
from tests.load.month_world import START, Asked, Reply, World

MOST_OUTPUT_TOKENS = 4_096
MOST_TRIED = 6
FULL_MONTH = 10_000
_AUTO = ChatRequest("auto", ())
_EACH: tuple[Dimension, ...] = ("caller",)


def month_limits(requests: int = FULL_MONTH) -> Sequence[Limit]:
    """What free tiers allow in a day, and what the owner allows in a day and in a month.

    They are for a full month, and less for fewer requests, so that they bind as often.
    """

    def share(most: int) -> int:
        return max(most * requests // FULL_MONTH, 1)

    day, month = Window.parse("day"), Window.parse("month")
    free: Mapping[Dimension, str] = {"model": "bazaar/*:free"}
    return (
        Limit("a month's money", "microusd", share(500_000_000), month, per=_EACH),
        Limit("a day's money", "microusd", share(22_000_000), day, per=_EACH),
        Limit("commons", "requests", share(150), day, {"provider": "commons"}, per=_EACH),
        Limit("free of bazaar", "requests", share(50), day, free, per=_EACH),
        Limit("apex", "tokens", share(1_500_000), day, {"provider": "apex"}, per=_EACH),
    )


class Time:
    """A clock that is moved by whoever goes through the month."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return (self.moment - START).total_seconds()


@dataclass(slots=True)
class Tally:
    """What became of the requests of a month; `charged` is each call that cost anything."""

    good: int = 0
    unanswered: int = 0
    fell_back: int = 0
    seconds: list[float] = field(default_factory=list)
    charged: list[tuple[datetime, Call, Amount]] = field(default_factory=list)
    cost_microusd: int = 0

    def charge(self, at: datetime, call: Call, amount: Amount) -> None:
        self.charged.append((at, call, amount))
        self.cost_microusd += amount.microusd or 0

    def exceeded(self, limits: Iterable[Limit]) -> int:
        """In how many windows more was used than a limit allows, added up anew, call by call."""
        used: dict[tuple[str, datetime], int] = {}
        most = {limit.id: limit.most for limit in limits}
        for limit in limits:
            for at, call, amount in self.charged:
                if limit.binds(call):
                    window = (limit.id, limit.window.bucket(at))
                    used[window] = used.get(window, 0) + (amount.of(limit.unit) or 0)
        return sum(total > most[limit_id] for (limit_id, _), total in used.items())


class Picking(Protocol):
    """A way to choose: the models to try, best first, as things stand at the gateway."""

    def picked(self, asked: Asked, gateway: "Gateway") -> Iterable[Model]: ...

    def answered(self, asked: Asked, call: Call, reply: Reply) -> None:
        """Hear what became of a call."""


class Gateway:
    """What a policy works with: the ledger, and how providers have been of late."""

    def __init__(
        self, name: str, picking: Picking, world: World, *, ledger: Ledger, time: Time
    ) -> None:
        self.name, self.picking, self.world = name, picking, world
        # Its limits are kept by this name: one that needs no quoting is quicker.
        self.caller = "".join(filter(str.isalnum, name))
        self.tally = Tally()
        self._ledger, self.time = ledger, time
        providers = {model.provider for model in world.models}
        self._health = {
            one: Health(one, "openai", clock=time, monotonic=time.seconds) for one in providers
        }
        self._paces: dict[str, PaceRecord] = {}

    async def answer(self, asked: Asked) -> None:
        tally, seconds, tried = self.tally, 0.0, 0
        for model in self.picking.picked(asked, self):
            reply = await self.call(model, asked, task=asked.features.task)
            if reply is None:
                continue
            tried += 1
            seconds += reply.seconds
            if reply.error is None:
                tally.good += reply.is_good
                tally.fell_back += tried > 1
                tally.seconds.append(seconds)
                return
            if tried == MOST_TRIED:
                break
        tally.unanswered += 1

    async def call(
        self, model: Model, asked: Asked, *, task: str, request_type: str = "chat"
    ) -> Reply | None:
        """None where a limit refuses it, or its provider rests."""
        call = self._call(model, task, asked, request_type)
        reservation = await self._reserved(model, asked, call)
        if reservation is None:
            return None
        try:
            attempt = self._health[model.provider].admit(model.id)
        except Unavailable:
            await self._ledger.release(reservation)
            return None
        reply = self.world.reply(model, asked)
        if reply.error is None:
            attempt.succeeded()
            self._pace(model, reply)
        else:
            attempt.failed(reply.error)
        await self._settle(reservation, model, reply)
        if request_type == "chat":
            self.picking.answered(asked, call, reply)
        return reply

    def cooling_seconds(self, model: Model) -> float:
        return self._health[model.provider].cooling_seconds(model.id)

    def is_ready(self, model: Model, asked: Asked) -> bool:
        """Whether it is called at all now: it holds the request, and nothing refuses the call."""
        worst = worst_amount(
            model,
            input_tokens=asked.features.most_input_tokens,
            output_tokens=MOST_OUTPUT_TOKENS,
        )
        context = model.context_tokens or 0
        return (
            asked.features.needs.context_tokens <= context
            and not self.cooling_seconds(model)
            and self.shortage(model, asked, worst) is None
        )

    def shortage(self, model: Model, asked: Asked, worst: Amount) -> Shortage | None:
        call = self._call(model, asked.features.task, asked, "chat")
        return self._ledger.remaining(call, worst)

    def measured(self) -> Mapping[str, Measured]:
        now = self.time.seconds()
        paces = {model: record.pace(now) for model, record in self._paces.items()}
        return {
            model: Measured(pace.first_token_seconds, pace.tokens_per_second)
            for model, pace in paces.items()
            if pace.calls
        }

    async def _reserved(self, model: Model, asked: Asked, call: Call) -> Reservation | None:
        for _, output_tokens in allowances(_AUTO, model, default_tokens=MOST_OUTPUT_TOKENS):
            worst = worst_amount(
                model,
                input_tokens=asked.features.most_input_tokens,
                output_tokens=output_tokens,
            )
            try:
                return await self._ledger.reserve(call, worst)
            except LimitExceeded:
                continue
        return None

    async def _settle(self, reservation: Reservation, model: Model, reply: Reply) -> None:
        costs = FREE_OF_CHARGE if reply.error else cost(reply.usage, model)
        settlement = Settlement(
            input_tokens=reply.usage.input_tokens,
            output_tokens=reply.usage.output_tokens,
            billed_microusd=costs.billed_microusd,
            list_microusd=costs.listed_microusd,
            cost_source=costs.source,
            total_ms=reply.seconds * 1000,
            outcome=reply.error.code if reply.error else "ok",
            requests=int(reply.error is None),
        )
        await self._ledger.settle(reservation, settlement)
        if reply.error is None:
            amount = settlement.charged(reservation.worst)
            self.tally.charge(self.time.moment, reservation.call, amount)

    def _pace(self, model: Model, reply: Reply) -> None:
        now = self.time.seconds()
        record = self._paces.setdefault(model.id, PaceRecord())
        record.first_token(reply.first_seconds, now)
        record.ended(reply.usage.output_tokens, reply.seconds - reply.first_seconds, now)

    def _call(self, model: Model, task: str, asked: Asked, request_type: str) -> Call:
        return Call(
            request_id=str(asked.number),
            caller=self.caller,
            provider=model.provider,
            model=model.id,
            tier=model.tier,
            request_type=request_type,
            task=task,
            complexity=asked.features.complexity,
            context="personal",
        )


def expected_microusd(model: Model, asked: Asked) -> int:
    """What an answer of the usual length costs."""
    if model.tier == "free" or model.price is None:
        return 0
    return model.price.cost_microusd(Usage(asked.features.input_tokens, asked.output_tokens)) or 0

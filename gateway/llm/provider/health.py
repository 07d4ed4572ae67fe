"""How a provider is doing, learned from its answers: what is left alone, since when, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.clock import Clock
from gateway.errors import (
    BadAnswer,
    DeadlineExceeded,
    GatewayError,
    KeyRefused,
    NotFound,
    PaymentRequired,
    RateLimited,
    Unavailable,
)
from gateway.llm.provider.cooldown import Cooldown

State = Literal["up", "down", "unknown"]

# Neither a wrong key nor an empty balance mends itself in seconds.
REFUSED_SECONDS = 60.0
MOST_MODELS = 1000


class Unreachable(Unavailable):
    """Nothing of an answer came: the whole provider is away, not one of its models."""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """`cooling` names the models that are left alone, and for how many seconds more."""

    name: str
    kind: str
    state: State
    since: datetime
    error: str | None
    retry_seconds: float | None
    cooling: Mapping[str, float]


class Health:
    """`monotonic` is in seconds, `clock` in UTC."""

    def __init__(
        self, name: str, kind: str, *, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._name = name
        self._kind = kind
        self._clock = clock
        self._monotonic = monotonic
        self._provider = Cooldown()
        self._models: dict[str, Cooldown] = {}
        self._state: State = "unknown"
        self._since = clock()
        self._error: str | None = None

    def admit(self, model: str) -> "Attempt":
        """Raises:
        Unavailable: the provider or the model is left alone for now.
        """
        now = self._monotonic()
        own = self._models.get(model)
        for cooldown, subject in ((self._provider, self._name), (own, f"{self._name}/{model}")):
            if cooldown and (seconds := cooldown.wait_seconds(now)):
                raise Unavailable(
                    f"{subject} is left alone for {max(seconds, 1):.0f} s more: {cooldown.reason}",
                    retry_after_seconds=seconds,
                )
        is_trial = self._provider.begin(now)
        if own and own.begin(now):
            is_trial = True
        return Attempt(self, model, is_trial)

    def succeeded(self, model: str) -> None:
        self._models.pop(model, None)
        self._reached()
        self._error = None

    def failed(self, model: str, error: GatewayError) -> None:
        """Most errors say something about the request alone: those leave it as it is."""
        now, reason = self._monotonic(), str(error)
        if isinstance(error, KeyRefused | PaymentRequired):
            self._provider.cool(REFUSED_SECONDS, reason, now)
            self._end_trial(model)
        elif isinstance(error, Unreachable):
            self._provider.fail(reason, now)
            self._end_trial(model)
        else:
            self._reached()
            self._doubt(model, error, now)
            return
        self._error = reason
        if self._provider.seconds_left(now):
            self._turn("down")

    def abandoned(self, model: str) -> None:
        self._provider.abandon()
        self._end_trial(model)

    def cooling_seconds(self, model: str) -> float:
        now = self._monotonic()
        own = self._models.get(model)
        return max(self._provider.seconds_left(now), own.seconds_left(now) if own else 0.0)

    def forget(self) -> None:
        """Nothing rests any more."""
        self._provider = Cooldown()
        self._models.clear()

    @property
    def status(self) -> ProviderStatus:
        now = self._monotonic()
        left = {name: cooldown.seconds_left(now) for name, cooldown in self._models.items()}
        return ProviderStatus(
            name=self._name,
            kind=self._kind,
            state=self._state,
            since=self._since,
            error=self._error,
            retry_seconds=self._provider.seconds_left(now) or None,
            cooling={name: seconds for name, seconds in left.items() if seconds},
        )

    def _doubt(self, model: str, error: GatewayError, now: float) -> None:
        reason = str(error)
        if isinstance(error, RateLimited):
            self._cooldown(model, now).cool(error.retry_after_seconds, reason, now)
        elif isinstance(error, NotFound):
            self._cooldown(model, now).cool(REFUSED_SECONDS, reason, now)
        elif isinstance(error, Unavailable | DeadlineExceeded | BadAnswer):
            self._cooldown(model, now).fail(reason, now)
            self._error = reason
        else:
            self._end_trial(model)

    def _end_trial(self, model: str) -> None:
        """What happened tells nothing of the model: the next call tries it again."""
        if own := self._models.get(model):
            own.abandon()

    def _cooldown(self, model: str, now: float) -> Cooldown:
        # A caller may ask for any number of models that do not exist.
        if len(self._models) >= MOST_MODELS:
            self._models = {
                name: own for name, own in self._models.items() if own.seconds_left(now)
            }
        return self._models.setdefault(model, Cooldown())

    def _reached(self) -> None:
        self._provider.succeed()
        self._turn("up")

    def _turn(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._since = self._clock()


@dataclass(slots=True)
class Attempt:
    """One call that was admitted; its end is told once, whatever the end is."""

    _health: Health
    _model: str
    _is_trial: bool
    _is_told: bool = False

    def began(self) -> None:
        """The answer has begun: enough for a trial, of which others wait to hear."""
        if self._is_trial:
            self.succeeded()

    def succeeded(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._health.succeeded(self._model)

    def failed(self, error: GatewayError) -> None:
        if not self._is_told:
            self._is_told = True
            self._health.failed(self._model, error)

    def abandoned(self) -> None:
        if self._is_trial and not self._is_told:
            self._health.abandoned(self._model)
        self._is_told = True

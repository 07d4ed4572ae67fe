"""Settings of answers in which models call tools."""

from typing import Annotated

from pydantic import Field

from gateway.config.strict import Seconds, Strict
from gateway.llm.loop.loop import MOST_ROUNDS, LoopSettings
from gateway.llm.loop.running import (
    CALL_SECONDS,
    MOST_AT_ONCE,
    MOST_CALLS,
    MOST_CHARACTERS,
    CallSettings,
)


class LoopConfig(Strict):
    """How often a model may be asked for one answer, and how many calls it may make for it."""

    max_rounds: Annotated[int, Field(ge=1, le=50)] = MOST_ROUNDS
    max_calls: Annotated[int, Field(ge=1, le=1_000)] = MOST_CALLS
    max_parallel: Annotated[int, Field(ge=1, le=64)] = MOST_AT_ONCE
    call_seconds: Seconds = CALL_SECONDS
    max_result_characters: Annotated[int, Field(ge=100, le=1_000_000)] = MOST_CHARACTERS

    @property
    def settings(self) -> LoopSettings:
        calls = CallSettings(
            seconds=self.call_seconds,
            most_at_once=self.max_parallel,
            most_calls=self.max_calls,
            most_characters=self.max_result_characters,
        )
        return LoopSettings(self.max_rounds, calls)

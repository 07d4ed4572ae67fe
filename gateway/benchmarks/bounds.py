"""What one run may ask at the most, and what it cannot do without."""

from collections.abc import Sequence

from gateway.benchmarks.case import Case, Judged
from gateway.benchmarks.record import Settings
from gateway.benchmarks.store import settings_text
from gateway.errors import InvalidRequest
from gateway.text import shown

MOST_CALLS = 10_000
MOST_PARALLEL = 16
MOST_ATTEMPTS = 20
MOST_PROMPT_CHARACTERS = 100_000
MOST_SETTINGS_BYTES = 256 * 1024
MOST_BUDGET_USD = 1_000_000
SUGGESTED = 3


def check_bounds(settings: Settings) -> None:
    """Raises:
    InvalidRequest: there is nothing to ask, or too much, or no judge for what needs one.
    """
    if not settings.cases:
        raise InvalidRequest("a benchmark needs at least one case")
    if not settings.models:
        raise InvalidRequest(
            "no model was named, and no free one can be called; name models, and a budget for "
            "those that cost money"
        )
    ids = [case.id for case in settings.cases]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise InvalidRequest(f"two cases have the ID {shown(min(twice))!r}; name each its own")
    for name, value, most in (
        ("runs", settings.attempts, MOST_ATTEMPTS),
        ("parallel", settings.parallel, MOST_PARALLEL),
    ):
        if not 1 <= value <= most:
            raise InvalidRequest(f"{name} is {value}; it takes 1 to {most}")
    if settings.count > MOST_CALLS:
        raise InvalidRequest(
            f"{settings.count:,} calls are too many; take fewer cases, models or runs, so that "
            f"there are at most {MOST_CALLS:,}"
        )
    if settings.budget_microusd is not None and settings.budget_microusd < 0:
        raise InvalidRequest("a budget is no less than $0")
    _check_size(settings)
    if settings.judge is None and (opinions := _need_a_judge(settings.cases)):
        raise InvalidRequest(
            f"{', '.join(map(shown, opinions[:SUGGESTED]))} can only be judged by a model; name "
            "one as the judge"
        )


def _need_a_judge(cases: Sequence[Case]) -> list[str]:
    return [case.id for case in cases if isinstance(case.check, Judged)]


def _check_size(settings: Settings) -> None:
    for case in settings.cases:
        if len(case.prompt) > MOST_PROMPT_CHARACTERS:
            raise InvalidRequest(
                f"the prompt of {shown(case.id)!r} has {len(case.prompt):,} characters; it takes "
                f"at most {MOST_PROMPT_CHARACTERS:,}"
            )
    size = len(settings_text(settings).encode())
    if size > MOST_SETTINGS_BYTES:
        raise InvalidRequest(
            f"the cases are {size:,} bytes, and at most {MOST_SETTINGS_BYTES:,} are kept; make "
            "several runs of them"
        )

"""Reports of benchmarks for tests, made of what each model got for each case."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gateway.benchmarks.case import Case, Exact
from gateway.benchmarks.record import Report, Result, Run, Settings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
Qualities = Mapping[str, Sequence[float | None]]


def report(run_id: str, qualities: Qualities, *, seconds: float = 1.0, answer: str = "4") -> Report:
    """By model, the quality at each case, of which every other one is coding; None is a failure."""
    count = max(map(len, qualities.values()))
    cases = tuple(
        Case(f"case-{number}", "coding" if number % 2 else "quick", f"Question {number}?", None,
             Exact((answer,)), 100, None, None)
        for number in range(count)
    )  # fmt: skip
    run = Run(run_id, "nightly", "alice", NOON, NOON, "done", Settings(cases, tuple(qualities)))
    results = [
        _result(run_id, case, model, quality, seconds=seconds)
        for model, each in qualities.items()
        for case, quality in zip(cases, each, strict=False)
    ]
    return Report(run, results, 0)


def _result(
    run_id: str, case: Case, model: str, quality: float | None, *, seconds: float
) -> Result:
    number = int(case.id.removeprefix("case-"))
    common = {
        "run_id": run_id,
        "case_id": case.id,
        "model": model,
        "attempt": 1,
        "time": NOON + timedelta(seconds=number),
        "task": case.task,
    }
    if quality is None:
        return Result(**common, outcome="rate_limited", quality=None, detail="too many")  # type: ignore[arg-type]
    return Result(
        **common,  # type: ignore[arg-type]
        outcome="ok",
        quality=quality,
        judged_by="exact match",
        total_ms=1000 * seconds + 10 * number,
        first_token_ms=100 * seconds + number,
        input_tokens=10,
        output_tokens=20,
        cost_microusd=50,
        route_id=f"r{number}",
    )

"""A benchmark as a file: every result as a line of CSV, or all of it as JSON."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.benchmarks.case_json import digest
from gateway.benchmarks.figures import Figures, Quality, figures
from gateway.benchmarks.record import Report, Result, Run, Summary
from gateway.clock import rfc3339
from gateway.text import displayable

COLUMNS = (
    "run_id", "case_id", "task", "model", "attempt", "time", "outcome", "quality", "judged_by",
    "is_opinion", "total_ms", "first_token_ms", "tokens_per_second", "input_tokens",
    "output_tokens", "cost_usd", "memory_bytes", "route_id", "detail",
)  # fmt: skip
# A spreadsheet would take what begins so for a formula, also behind blanks.
_FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


def to_csv(report: Report) -> str:
    """One line for each result; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in report.results:
        told = result_to_json(one)
        writer.writerow([_cell(told[name]) for name in COLUMNS])
    return text.getvalue()


def to_json(report: Report) -> dict[str, Any]:
    return {
        **run_to_json(report.run),
        **counts_to_json(report),
        "figures": [figures_to_json(one) for one in figures(report)],
        "results": [result_to_json(one) for one in report.results],
    }


def run_to_json(run: Run) -> dict[str, Any]:
    settings = run.settings
    return {
        "object": "benchmark",
        "id": run.id,
        "name": run.name,
        "caller": run.caller,
        "status": run.status,
        "started": rfc3339(run.started),
        "ended": None if run.ended is None else rfc3339(run.ended),
        "models": list(settings.models),
        "cases": [
            {"id": case.id, "task": case.task, "check": type(case.check).__name__,
             "digest": digest(case)}
            for case in settings.cases
        ],
        "runs": settings.attempts,
        "parallel": settings.parallel,
        "budget_usd": usd(settings.budget_microusd),
        "judge": settings.judge,
    }  # fmt: skip


def counts_to_json(report: Report | Summary) -> dict[str, Any]:
    return {
        "calls": report.run.settings.count,
        "done": report.done,
        "failed": report.failed,
        "spent_usd": usd(report.spent_microusd),
    }


def result_to_json(one: Result) -> dict[str, Any]:
    return {
        "run_id": one.run_id,
        "case_id": one.case_id,
        "task": one.task,
        "model": one.model,
        "attempt": one.attempt,
        "time": rfc3339(one.time),
        "outcome": one.outcome,
        "quality": one.quality,
        "judged_by": one.judged_by,
        "is_opinion": one.is_opinion,
        "total_ms": _rounded(one.total_ms),
        "first_token_ms": _rounded(one.first_token_ms),
        "tokens_per_second": _rounded(one.tokens_per_second),
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": usd(one.cost_microusd),
        "memory_bytes": one.memory_bytes,
        "route_id": one.route_id,
        "detail": one.detail,
    }


def figures_to_json(one: Figures) -> dict[str, Any]:
    spreads = {
        name: None if spread is None else _all_rounded(asdict(spread))
        for name, spread in (
            ("total_ms", one.total_ms),
            ("first_token_ms", one.first_token_ms),
            ("tokens_per_second", one.tokens_per_second),
        )
    }
    return {
        "model": one.model,
        "task": one.task,
        "calls": one.calls,
        "answered": one.answered,
        "success": round(one.success, 4),
        "quality": _quality_to_json(one.quality),
        **spreads,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost_usd": usd(one.cost_microusd),
        "memory_bytes": one.memory_bytes,
    }


def usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000


def _quality_to_json(quality: Quality | None) -> Mapping[str, Any] | None:
    return None if quality is None else _all_rounded(asdict(quality), digits=4)


def _all_rounded(values: Mapping[str, Any], digits: int = 1) -> dict[str, Any]:
    return {
        name: round(value, digits) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _cell(value: object) -> object:
    if isinstance(value, float):
        # Not as 5e-05, which not every program reads.
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, str):
        text = displayable(value)
        is_plain = not text.lstrip().startswith(_FORMULA) and not text.startswith(("\t", "\n"))
        return text if is_plain else f"'{text}"
    return "" if value is None else value

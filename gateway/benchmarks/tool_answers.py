"""What the tools of benchmarks answer: a run as JSON, and the schema of it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gateway.benchmarks.export import figures_to_json, result_to_json, usd
from gateway.benchmarks.figures import ALL_TASKS, Figures, figures
from gateway.benchmarks.record import Report
from gateway.llm.tool_answers import record

TEXT: Mapping[str, Any] = {"type": "string"}
_COUNT: Mapping[str, Any] = {"type": "integer"}
_NUMBER: Mapping[str, Any] = {"type": "number"}
_MAYBE_NUMBER: Mapping[str, Any] = {"type": ["number", "null"]}
_MAYBE_COUNT: Mapping[str, Any] = {"type": ["integer", "null"]}
_USD: Mapping[str, Any] = {
    "type": ["number", "null"],
    "description": "US dollars; null is unknown, never 0.",
}
_RESULT: Mapping[str, Any] = {
    "case_id": TEXT,
    "model": TEXT,
    "attempt": _COUNT,
    "outcome": TEXT,
    "quality": _MAYBE_NUMBER,
    "judged_by": TEXT,
    "total_ms": _MAYBE_NUMBER,
    "first_token_ms": _MAYBE_NUMBER,
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "cost_usd": _USD,
    "memory_bytes": _MAYBE_COUNT,
    "route_id": TEXT,
    "detail": TEXT,
}
RESULTS: Mapping[str, Any] = {"type": "array", "items": record(_RESULT)}
_SPREAD = {
    **record(dict.fromkeys(("median", "low", "high", "deviation"), _NUMBER)),
    "type": ["object", "null"],
}
_QUALITY = {
    **record(dict.fromkeys(("mean", "low", "high"), _NUMBER)),
    "type": ["object", "null"],
    "description": (
        "From 0 to 1, with the bounds it has in 95 of 100 such benchmarks; null where no answer "
        "was checked."
    ),
}
_MODEL = record(
    {
        "model": TEXT,
        "calls": _COUNT,
        "answered": _COUNT,
        "quality": _QUALITY,
        "total_ms": _SPREAD,
        "first_token_ms": _SPREAD,
        "tokens_per_second": _SPREAD,
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "cost_usd": _USD,
        "memory_bytes": _MAYBE_COUNT,
        "failures": {"type": "object", "additionalProperties": _COUNT},
    }
)
REPORT: Mapping[str, Any] = {
    "benchmark_id": {"type": "string", "description": "Fetch benchmark:{benchmark_id} for all."},
    "status": {"type": "string", "description": "done, or why there are fewer results."},
    "calls": _COUNT,
    "done": _COUNT,
    "spent_usd": _USD,
    "models": {"type": "array", "items": _MODEL},
}


def told(report: Report) -> dict[str, Any]:
    return {
        "benchmark_id": report.run.id,
        "status": report.run.status,
        "calls": report.run.settings.count,
        "done": len(report.results),
        "spent_usd": usd(report.spent_microusd),
        "models": [
            {**figures_to_json(one), "failures": _failures(one)}
            for one in figures(report)
            if one.task == ALL_TASKS
        ],
    }


def _failures(one: Figures) -> Mapping[str, int]:
    """By what went wrong."""
    return dict(Counter(each.outcome for each in one.results if not each.was_answered))


def results(report: Report) -> list[dict[str, Any]]:
    return [{name: told[name] for name in _RESULT} for told in map(result_to_json, report.results)]

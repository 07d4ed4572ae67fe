import csv
import io
import json
from dataclasses import replace

import pytest

from gateway.benchmarks.export import COLUMNS, to_csv, to_json
from tests.benchmarks.reports import report


def test_csv_has_a_line_for_each_result_and_nothing_where_nothing_is_known() -> None:
    whole = report("b1", {"p/a": [1, None]})
    rows = list(csv.DictReader(io.StringIO(to_csv(whole))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["quality"] for row in rows] == ["1", ""]
    assert [row["cost_usd"] for row in rows] == ["0.00005", ""]
    assert [row["outcome"] for row in rows] == ["ok", "rate_limited"]
    assert rows[0]["time"] == "2026-11-21T12:00:00Z"
    assert rows[1]["total_ms"] == ""


@pytest.mark.parametrize(
    "detail",
    ["=A1", "  =A1", "\u00a0+1", "\t=A1", "\n=A1", "\u200b=A1", "-1+1", "@SUM(A1)", "\uff1dA1"],
)
def test_a_spreadsheet_takes_no_cell_for_a_formula(detail: str) -> None:
    whole = report("b1", {"p/a": [1]})
    poisoned = [replace(whole.results[0], detail=detail)]
    [row] = csv.DictReader(io.StringIO(to_csv(replace(whole, results=poisoned))))
    assert row["detail"].startswith("'")


def test_a_cell_holds_nothing_that_hides_or_turns_what_is_read() -> None:
    whole = report("b1", {"p/a": [1]})
    poisoned = [replace(whole.results[0], detail="cut\u202e off\x1b[2J")]
    [row] = csv.DictReader(io.StringIO(to_csv(replace(whole, results=poisoned))))
    assert row["detail"] == "cut off[2J"


def test_json_has_the_run_its_figures_and_its_results() -> None:
    told = json.loads(json.dumps(to_json(report("b1", {"p/a": [1, 0, None]}))))
    assert (told["id"], told["status"], told["calls"], told["done"]) == ("b1", "done", 3, 3)
    assert told["failed"] == 1
    assert told["models"] == ["p/a"]
    assert [case["check"] for case in told["cases"]] == ["Exact"] * 3
    assert [one["quality"] for one in told["results"]] == [1, 0, None]
    [total] = [one for one in told["figures"] if one["task"] == "all"]
    assert total["quality"]["mean"] == 0.5
    assert total["quality"]["low"] < 0.5 < total["quality"]["high"]
    assert total["total_ms"]["median"] == 1005
    assert total["cost_usd"] == 0.0001

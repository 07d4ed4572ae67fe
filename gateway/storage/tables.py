"""The tables, alike on SQLite and PostgreSQL; whoever changes one adds a migration.

Times are whole microseconds since 1970 in UTC, because SQLite has no type for them; money is
whole micro-dollars.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite gives out rising numbers by itself only for a key of the type INTEGER.
RisingNumber = BigInteger().with_variant(Integer(), "sqlite")

tables = MetaData()

# One line for each call that ended, in the window in which it began. Lines are never changed, but
# for one: a call that was written off as lost, and ends after all.
usage = Table(
    "usage",
    tables,
    Column("id", RisingNumber, primary_key=True, autoincrement=True),
    Column("reservation_id", Text, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("request_type", Text, nullable=False),
    Column("task", Text),
    Column("complexity", Double),
    Column("context", Text),
    Column("route_id", Text),
    Column("reason", Text),
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("billed_microusd", BigInteger),
    Column("list_microusd", BigInteger),
    Column("charged_microusd", BigInteger),
    Column("cost_source", Text, nullable=False),
    Column("first_token_ms", Double),
    Column("total_ms", Double),
    Column("tool_calls", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("usage_by_time", "time"),
)

# Calls that run: what they hold of which limits, and until when their process vouches for them.
reservations = Table(
    "reservations",
    tables,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("call", Text, nullable=False),
    Column("worst", Text, nullable=False),
    Column("holds", Text, nullable=False),
    Index("reservations_by_lease", "lease_until"),
)

# What each bucket of a limit's window counts. A reservation adds its worst case to `reserved`; its
# end moves the truth to `settled`. Without that end it stays: a crash never makes a call free.
totals = Table(
    "totals",
    tables,
    Column("limit_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("bucket", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("unknown_costs", BigInteger, nullable=False),
    PrimaryKeyConstraint("limit_id", "key", "bucket"),
)

# The limits that `totals` counts for from the beginning of their windows.
counted_limits = Table("counted_limits", tables, Column("limit_id", Text, primary_key=True))

# What a provider says was used of a quota; `others` is what it counted beyond ours.
observations = Table(
    "observations",
    tables,
    Column("limit_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("reported", BigInteger, nullable=False),
    Column("others", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("resets_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("limit_id", "key"),
)

# Which alerts were given, so that of all processes one gives each of them once.
alerts = Table(
    "alerts",
    tables,
    Column("limit_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("limit_id", "key", "percent"),
)

routes = Table(
    "routes",
    tables,
    Column("route_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("caller", Text, nullable=False),
    Column("route", Text, nullable=False),
    Index("routes_by_time", "time"),
)

conversation_messages = Table(
    "conversation_messages",
    tables,
    Column("caller", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    # The whole message as JSON, where it is more than its text.
    Column("message", Text),
    PrimaryKeyConstraint("caller", "user_id", "position"),
)

# One line for each call of a tool that ended.
tool_calls = Table(
    "tool_calls",
    tables,
    Column("id", RisingNumber, primary_key=True, autoincrement=True),
    Column("time", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("milliseconds", Double, nullable=False),
    Column("cost_microusd", BigInteger),
    Index("tool_calls_by_time", "time"),
)

# Calls that a caller allowed and that were made since, so that none is made twice.
used_approvals = Table(
    "used_approvals",
    tables,
    Column("caller", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("caller", "call_id"),
)

# What a tool told models when it was seen last, as a hash, and since when.
tool_pins = Table(
    "tool_pins",
    tables,
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)

# An answer to one request of `/v1/responses`, with the items that were new in that request; those
# before it are found by way of `previous_id`. `used` is when it was last kept or continued.
stored_responses = Table(
    "stored_responses",
    tables,
    Column("id", Text, primary_key=True),
    Column("caller", Text, nullable=False),
    Column("previous_id", Text),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("input", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Index("stored_responses_of_caller", "caller", "used"),
    Index("stored_responses_by_use", "used"),
)

# What was seen of how good a model's answers are: one line for each answer that was
# judged, or for several of one moment or day (`looks`). All of one caller at one model and task
# weigh `most_weight` together.
evidence = Table(
    "evidence",
    tables,
    Column("id", RisingNumber, primary_key=True, autoincrement=True),
    Column("time", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("quality", Double, nullable=False),
    Column("weight", Double, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("most_weight", Double),
    Index("evidence_by_time", "time"),
    Index("evidence_by_source", "source"),
    # A number that was given to a line that is gone would hide the next one from other processes.
    sqlite_autoincrement=True,
)

# `carrier` is what carries a run out, which says with each `beat` that it still does. What a run
# has spent is kept with it, for lines of usage go sooner.
benchmark_runs = Table(
    "benchmark_runs",
    tables,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("status", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("is_owners", Integer, nullable=False),
    Column("spent_microusd", BigInteger),
    Column("carrier", Text),
    Column("beat", BigInteger),
    Index("benchmark_runs_by_start", "started"),
    Index("benchmark_runs_of_caller", "caller", "started"),
)

# One line for each answer of a run; `attempt` counts the times that a case was asked.
benchmark_results = Table(
    "benchmark_results",
    tables,
    Column("run_id", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("task", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("quality", Double),
    Column("judged_by", Text, nullable=False),
    Column("is_opinion", Integer, nullable=False),
    Column("total_ms", Double),
    Column("first_token_ms", Double),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_microusd", BigInteger),
    Column("memory_bytes", BigInteger),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "case_id", "model", "attempt"),
)

# How a caller wants its messages worded for a model.
prompting_strategies = Table(
    "prompting_strategies",
    tables,
    Column("caller", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("caller", "model"),
)


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND

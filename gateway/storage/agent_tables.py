"""The tables of agents: what happened, what they made of it, and the task list."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from gateway.storage.tables import RisingNumber, tables

# What happened, in the order in which it was stored. `is_shared_out` once the runs of all agents
# that hear it are there.
events = Table(
    "events",
    tables,
    Column("position", RisingNumber, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("delivery", Text),
    Column("data", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("cause", Text),
    Column("said_by", Text, nullable=False),
    Column("only_for", Text),
    Column("is_shared_out", Integer, nullable=False),
    Index("events_by_delivery", "source", "delivery", unique=True),
    Index("events_by_time", "time"),
    Index("events_to_share_out", "is_shared_out", "position"),
    sqlite_autoincrement=True,
)

# One agent's answer to one event. `occasion` tells apart what may be there only once: of an event
# and an agent there is one run. `executor` is the process that carries it out.
agent_runs = Table(
    "agent_runs",
    tables,
    Column("position", RisingNumber, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("occasion", Text, nullable=False, unique=True),
    Column("agent", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("ended", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("executor", Text),
    Column("wanted", Text),
    Column("parent", Text),
    Column("replay_of", Text),
    Column("team", Text),
    Column("after", Text),
    Column("result", Text),
    Column("guard", Text),
    Column("because", Text),
    Column("rounds", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_microusd", BigInteger),
    Index("agent_runs_by_status", "status", "agent", "position"),
    Index("agent_runs_of_agent", "agent", "position"),
    Index("agent_runs_by_creation", "created"),
    Index("agent_runs_by_end", "ended"),
    Index("agent_runs_of_event", "event_id"),
    Index("agent_runs_of_parent", "parent"),
    Index("agent_runs_of_team", "team"),
    sqlite_autoincrement=True,
)

# Each answer of a model and each call of a tool; without `ended` it runs, or its process died.
agent_steps = Table(
    "agent_steps",
    tables,
    Column("run_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("outcome", Text),
    Column("asked", Text, nullable=False),
    Column("answer", Text),
    Column("model", Text),
    Column("route_id", Text),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_microusd", BigInteger),
    PrimaryKeyConstraint("run_id", "number"),
)

# `occasion` is the idempotency key of the call that suggested it.
suggestions = Table(
    "suggestions",
    tables,
    Column("position", RisingNumber, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("occasion", Text, nullable=False, unique=True),
    Column("run_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("tool", Text),
    Column("arguments", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided", BigInteger),
    Column("note", Text, nullable=False),
    Column("outcome", Text),
    Index("suggestions_by_status", "status", "position"),
    Index("suggestions_of_run", "run_id"),
    sqlite_autoincrement=True,
)

# What people are told of; positions only rise, so whoever was away reads on from the last one.
notifications = Table(
    "notifications",
    tables,
    Column("position", RisingNumber, primary_key=True, autoincrement=True),
    Column("time", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Where each webhook out is in the notifications, and how often its next one failed.
webhook_places = Table(
    "webhook_places",
    tables,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("next_try", BigInteger, nullable=False),
)

# Agents that a person paused; `*` is all of them.
paused_agents = Table(
    "paused_agents",
    tables,
    Column("agent", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("said_by", Text, nullable=False),
)

# The processes that carry runs out, each of which says with `beat` that it still lives.
agent_executors = Table(
    "agent_executors",
    tables,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

# How far each watcher has come, such as the last commit of a branch.
watch_marks = Table(
    "watch_marks",
    tables,
    Column("watcher", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
)

# The task list. `occasion` is the idempotency key of the call that made a task, and `changes`
# are the latest ones of its status.
tasks = Table(
    "tasks",
    tables,
    Column("position", RisingNumber, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("occasion", Text, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("assignee", Text),
    Column("run_id", Text),
    Column("repository", Text),
    Column("commit_id", Text),
    Column("labels", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Index("tasks_by_status", "status", "position"),
    Index("tasks_by_creation", "created"),
    sqlite_autoincrement=True,
)

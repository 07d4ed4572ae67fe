"""Calls of tools, approvals that were used, pins, and whole messages of conversations."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    rising_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "tool_calls",
        sa.Column("id", rising_number, autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tool_calls_by_time", "tool_calls", ["time"], unique=False)
    op.create_table(
        "tool_pins",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "used_approvals",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "call_id"),
    )
    op.add_column("conversation_messages", sa.Column("message", sa.Text(), nullable=True))

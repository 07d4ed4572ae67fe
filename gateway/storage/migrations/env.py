"""What Alembic runs; it migrates on the connection and in the transaction that it is given."""

from alembic import context

from gateway.storage.every_table import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    # SQLite cannot change a column: Alembic copies the table instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

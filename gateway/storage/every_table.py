"""All tables of the database, whichever file describes them."""

from gateway.storage.agent_tables import events
from gateway.storage.tables import tables

assert events.metadata is tables

__all__ = ["tables"]

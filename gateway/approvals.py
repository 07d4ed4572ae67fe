"""Which approvals of calls were used: what was allowed once is done once, however often it is sent.

A client that heard no answer sends its request again, with the same approval in it.
"""

from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from gateway.clock import Clock, now
from gateway.storage.database import Database
from gateway.storage.tables import microseconds
from gateway.storage.tables import used_approvals as used

# As long as a stored response can be continued.
KEPT_FOR = timedelta(days=30)


class Approvals:
    """Those of all callers; `call_id` is the call that a caller allowed."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def use(self, caller: str, call_id: str) -> bool:
        """True for whoever comes first, in whichever process, and false from then on."""
        moment = self._clock()

        def work(connection: Connection) -> bool:
            too_old = used.c.time < microseconds(moment - KEPT_FOR)
            connection.execute(delete(used).where(too_old))
            is_it = (used.c.caller == caller) & (used.c.call_id == call_id)
            if connection.execute(select(used.c.time).where(is_it)).first():
                return False
            row = {"caller": caller, "call_id": call_id, "time": microseconds(moment)}
            connection.execute(insert(used), row)
            return True

        return await self._database.write(work)

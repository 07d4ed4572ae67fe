"""What Prometheus scrapes of the limits."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gateway.storage.database import Database
from gateway.usage.call import Amount, Call, Settlement
from gateway.usage.ledger import Ledger
from gateway.usage.limit import Limit
from gateway.usage.metrics import LimitMetrics
from gateway.usage.window import Window

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_every_limit_is_there_from_the_start_and_alerts_are_counted(
    database_url: str,
) -> None:
    limit = Limit("calls", "requests", 2, Window.parse("day"))
    registry = CollectorRegistry()
    async with Database(database_url) as database:
        ledger = Ledger(
            database, [limit], clock=lambda: NOW, on_alert=[lambda alert: metrics.count(alert)]
        )
        metrics = LimitMetrics(registry, ledger.all_standing)
        async with ledger:
            assert 'gateway_limit_used{key="",limit="calls",unit="requests"} 0.0' in said(registry)
            reservation = await ledger.reserve(
                Call("one", "local", "p", "p/m", "paid"), Amount(requests=1)
            )
            assert 'gateway_limit_used{key="",limit="calls",unit="requests"} 1.0' in said(registry)
            assert 'gateway_limit_most{key="",limit="calls",unit="requests"} 2.0' in said(registry)
            await ledger.settle(reservation, Settlement(billed_microusd=0))
            assert 'gateway_limit_alerts_total{limit="calls",percent="50"} 1.0' in said(registry)


def said(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()

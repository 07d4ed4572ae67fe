"""What Prometheus scrapes of the ledger: how full each limit is, and which alerts were given."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.usage.alerts import Alert
from gateway.usage.limit import LimitState


class LimitMetrics(Collector):
    """`gateway_limit_used`, `gateway_limit_most` and `gateway_limit_alerts_total`, by limit.

    Money is in micro-dollars. `states` is read at each scrape, from memory.
    """

    def __init__(
        self, registry: CollectorRegistry, states: Callable[[], Sequence[LimitState]]
    ) -> None:
        self._states = states
        self._alerts = Counter(
            "gateway_limit_alerts", "Alerts given.", ["limit", "percent"], registry=registry
        )
        registry.register(self)

    def count(self, alert: Alert) -> None:
        self._alerts.labels(alert.limit.name, str(alert.percent)).inc()

    def collect(self) -> Iterable[Metric]:
        labels = ["limit", "unit", "key"]
        used = GaugeMetricFamily("gateway_limit_used", "Used in the window.", labels=labels)
        most = GaugeMetricFamily("gateway_limit_most", "Allowed in the window.", labels=labels)
        for state in self._states():
            values = [state.limit.name, state.limit.unit, state.key]
            used.add_metric(values, state.used)
            most.add_metric(values, state.limit.most)
        return [used, most]

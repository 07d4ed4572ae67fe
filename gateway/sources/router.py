"""All that can be found about the router: models, spending, limits and choices."""

from collections.abc import Callable, Mapping, Sequence

from gateway.benchmarks.runner import Benchmarks
from gateway.clock import Clock, now
from gateway.documents.query import Lexicon
from gateway.documents.source import DocumentSource
from gateway.llm.belief import Beliefs
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.messages import ChatRequest
from gateway.llm.route import Route
from gateway.sources.benchmarks import BenchmarkSource
from gateway.sources.free_models import FreeModelSource
from gateway.sources.models.source import ModelSource, ProviderSource
from gateway.sources.router_reader import ExceptOfRouter, RouterLexicon, RouterReader
from gateway.sources.routing import RouteSource, RoutingSource
from gateway.sources.tasks import TaskSource
from gateway.sources.usage.limits import BUDGET, QUOTA, LimitSource
from gateway.sources.usage.source import UsageSource
from gateway.tasks.store import Tasks
from gateway.usage.ledger import Ledger

# What the reference of documents tells of each kind.
KINDS = (
    ModelSource,
    FreeModelSource,
    ProviderSource,
    UsageSource,
    QUOTA,
    BUDGET,
    RoutingSource,
    RouteSource,
    BenchmarkSource,
    TaskSource,
)


class RouterSources:
    """The sources over one catalog, one ledger and one router.

    `open_documents` are those that tell nothing of anybody's spending or set-up. What reads
    questions about something else beside it shares `reader`.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        benchmarks: Benchmarks,
        tasks: Tasks,
        *,
        plan: Callable[[ChatRequest, str], Route],
        beliefs: Callable[[], Beliefs],
        statuses: Callable[[], Mapping[str, str]],
        clock: Clock = now,
    ) -> None:
        reader = RouterReader(catalog, clock=clock)
        self.reader = reader
        self._catalog = catalog
        self._ledger = ledger
        self._tasks = tasks
        self.open_documents: Sequence[DocumentSource] = (ModelSource(catalog, reader, clock=clock),)
        self.documents: Sequence[DocumentSource] = (
            *self.open_documents,
            FreeModelSource(catalog, ledger, reader, beliefs=beliefs, clock=clock),
            ProviderSource(catalog, reader, statuses, clock=clock),
            UsageSource(ledger, reader, catalog=catalog, clock=clock),
            LimitSource(QUOTA, ledger, reader, clock=clock),
            LimitSource(BUDGET, ledger, reader, clock=clock),
            RoutingSource(plan, reader, clock=clock),
            RouteSource(ledger, reader, clock=clock),
            BenchmarkSource(benchmarks, reader),
            TaskSource(tasks, reader, clock=clock),
        )

    def lexicons(
        self, others: Sequence[Lexicon] = (), *, is_owner: bool = True
    ) -> Sequence[Lexicon]:
        """Ours, and those of other sources, which questions about the router do not concern."""
        kinds = frozenset(limit.kind for limit in self._ledger.limits)
        ours = RouterLexicon(
            self.reader,
            self._catalog,
            limit_kinds=kinds,
            task_server=self._tasks.elsewhere,
            is_owner=is_owner,
        )
        return (ours, *(ExceptOfRouter(one, self.reader, is_owner=is_owner) for one in others))

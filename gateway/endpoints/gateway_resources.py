"""The gateway's own resources: its status, models, spending, strategies and benchmarks."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from gateway import caller
from gateway.clock import Clock, now, rfc3339
from gateway.documents.registry import Registry
from gateway.endpoints.authentication import reader
from gateway.endpoints.mcp_resources import MARKDOWN, Resource, as_json
from gateway.errors import NotFound
from gateway.llm.catalog.catalog import Catalog
from gateway.llm.prompting import strategy_to_json
from gateway.llm.tool_answers import line_to_json
from gateway.strategies import Strategies
from gateway.text import shown
from gateway.tools.toolbox import Toolbox
from gateway.usage.ledger import Ledger
from gateway.usage.report import Column, UsageLine
from gateway.version import VERSION

MOST_LINES = 50
BENCHMARK = "benchmark"
_NOTHING = UsageLine(billed_microusd=0, list_microusd=0, charged_microusd=0)


class GatewayResources:
    """Those of one view of the gateway: what its registry and its toolbox know.

    `statuses` says of each configured provider, in a word, how it is now; owners read it.
    """

    def __init__(
        self,
        registry: Registry,
        toolbox: Toolbox,
        *,
        catalog: Catalog,
        ledger: Ledger,
        strategies: Strategies,
        statuses: Callable[[], Mapping[str, str]],
        clock: Clock = now,
    ) -> None:
        self._registry = registry
        self._toolbox = toolbox
        self._catalog = catalog
        self._ledger = ledger
        self._strategies = strategies
        self._statuses = statuses
        self._clock = clock

    def resources(self) -> Sequence[Resource]:
        kinds = {source.pattern.kind for source in self._registry.sources}
        every = (*self._addresses(), *self._templates())
        return [one for one in every if one.name != BENCHMARK or BENCHMARK in kinds]

    def _addresses(self) -> Sequence[Resource]:
        return (
            Resource(
                "gateway://status",
                "status",
                "Status",
                "Whether the gateway is ready, which providers answer, and how many models it has.",
                self._status,
                is_open=True,
            ),
            Resource(
                "gateway://models",
                "models",
                "Models",
                "The models that you may call, with tiers, prices, abilities and quotas.",
                self._tool("get_personalized_models"),
            ),
            Resource(
                "gateway://free-models",
                "free-models",
                "Free models",
                "The models that cost nothing now, and what is left of their quotas.",
                self._tool("get_free_models"),
            ),
        )

    def _templates(self) -> Sequence[Resource]:
        return (
            Resource(
                "gateway://usage/{provider}",
                "usage",
                "Usage of a provider",
                "What was used and spent at one provider this month, in all and by model.",
                self._usage,
            ),
            Resource(
                "gateway://model/{+id}",
                "model",
                "A model",
                "One model: limits, abilities, prices with source and date, and where else it is.",
                self._document("model"),
                mime_type=MARKDOWN,
                is_open=True,
            ),
            Resource(
                "gateway://prompting-strategy/{+id}",
                "prompting-strategy",
                "How a model is asked",
                "Your prompting strategy for a model, with an example; null where there is none.",
                self._strategy,
            ),
            Resource(
                "gateway://benchmark/{+id}",
                BENCHMARK,
                "A benchmark",
                "One run of a benchmark: how good, fast and dear each model's answers were.",
                self._document(BENCHMARK),
                mime_type=MARKDOWN,
            ),
        )

    def _tool(self, name: str) -> Callable[[str], Any]:
        async def read(_: str) -> str:
            return as_json((await self._toolbox.call(name, {})).content)

        return read

    def _document(self, kind: str) -> Callable[[str], Any]:
        async def read(value: str) -> str:
            try:
                document = await self._registry.fetch(f"{kind}:{value}")
            except NotFound as error:
                raise _by_address(error, kind) from error
            url = self._registry.url(document.id)
            return f"# {document.title}\n\n{document.text}\n\nSource: {document.source}, {url}\n"

        return read

    async def _status(self, _: str) -> str:
        who = caller.current()
        status: dict[str, Any] = {"status": "ready", "version": VERSION}
        if who.may_spend or who.is_owner:
            models = self._catalog.callable_models
            mine = [model for model in models if who.may_use_model(model.id)]
            status["models"] = {
                "total": len({model.id for model in mine}),
                "free": len({model.id for model in mine if model.tier == "free"}),
                "as_of": self._catalog.as_of.isoformat(),
            }
        if who.is_owner:
            status["providers"] = dict(self._statuses())
        return as_json(status)

    async def _usage(self, provider: str) -> str:
        who = reader(caller.current())
        moment = self._clock()
        start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        # A moment later, so that what was settled just now is counted.
        end = moment + timedelta(microseconds=1)
        where: dict[Column, str] = {"provider": provider}
        if not who.is_owner:
            where["caller"] = who.name
        [total] = await self._ledger.report(start, end, where=where) or [_NOTHING]
        by_model = await self._ledger.report(start, end, group_by=("model",), where=where)
        if not by_model and provider not in self._catalog.providers:
            raise self._no_such_provider(provider)
        dearest = sorted(by_model, key=lambda line: (-(line.charged_microusd or 0), -line.calls))
        return as_json(
            {
                "provider": provider,
                "from": rfc3339(start),
                "to": rfc3339(end),
                "whose": "all callers" if who.is_owner else who.name,
                "total": line_to_json(total),
                "by_model": [
                    {"model": line.group["model"], **line_to_json(line)}
                    for line in dearest[:MOST_LINES]
                ],
            }
        )

    async def _strategy(self, model_id: str) -> str:
        who = reader(caller.current())
        strategy = self._strategies.get(who.name, model_id)
        known = self._catalog.get(model_id) is not None and who.may_use_model(model_id)
        if strategy is None and not known:
            near = [one for one in self._catalog.near(model_id) if who.may_use_model(one)]
            there = ", ".join(self._strategies.all(who.name)) or "none"
            raise NotFound(
                f"no model {shown(model_id)!r} is known; models with a strategy of yours: {there}",
                suggestions=near,
            )
        return as_json(strategy_to_json(model_id, strategy))

    def _no_such_provider(self, provider: str) -> NotFound:
        there = ", ".join(self._catalog.providers) or "none"
        return NotFound(f"no provider is named {shown(provider)!r}; there are: {there}")


def _by_address(error: NotFound, kind: str) -> NotFound:
    """What is suggested as a document is suggested by the address where it is read here."""
    near = [one.partition(":") for one in error.suggestions]
    addresses = [f"gateway://{kind}/{rest}" for its_kind, _, rest in near if its_kind == kind]
    return NotFound(str(error), suggestions=addresses)

"""What the settings mean, line by line, without a secret."""

from collections.abc import Iterator, Sequence

from gateway.agents.agent import limits_of
from gateway.caller import Caller
from gateway.config.agents_explained import explain_agents
from gateway.config.limits import lets_pay
from gateway.config.providers import ProviderConfig
from gateway.config.settings import Config
from gateway.llm.model import Tier
from gateway.llm.policy import FallbackAction, Policy
from gateway.llm.provider.settings import NO_PROVIDER
from gateway.usage.limit import Limit, dollars


def explain(config: Config) -> Sequence[str]:
    """Each line stands for itself, such as `provider nanogpt at https://…: key is set`."""
    return [
        f"listens on {config.host}:{config.port}, known outside as {config.url}",
        *_callers(config),
        *_providers(config),
        *_routing(config.policy),
        f"automatic routes may pay: {_payment(config)}",
        *_limits(config),
        f"at most {config.max_parallel_tasks} completions run at once",
        *_storage(config),
        *_services(config),
        *explain_agents(config.agents),
        "the settings are valid",
    ]


def _callers(config: Config) -> Iterator[str]:
    for caller in config.callers.values():
        what = "owner" if caller.is_owner else "caller"
        models, tools = ", ".join(caller.models), ", ".join(caller.tools)
        yield f"{what} {caller.name}: models {models or 'none'}, tools {tools or 'none'}"
    yield f"without a key: {_stranger(config.caller_without_key)}"


def _stranger(caller: Caller) -> str:
    if caller.may_spend:
        return "everything, for only this machine reaches the gateway and nobody has a key"
    documents = "all documents, those about spending too" if caller.is_owner else "public documents"
    return f"{documents}, and no model"


def _providers(config: Config) -> Iterator[str]:
    if not config.providers:
        yield NO_PROVIDER
    for provider in config.providers:
        yield f"provider {provider.name} at {_address(provider)}: {_key(provider)}"
    if config.llm_provider:
        yield f"only provider {config.llm_provider} is used"


def _address(provider: ProviderConfig) -> str:
    from gateway.llm.provider.presets import PRESETS

    settings = provider.settings
    return settings.base_url or PRESETS[settings.kind].base_url or ""


def _key(provider: ProviderConfig) -> str:
    if provider.kind == "vertex":
        return f"credentials from {provider.credentials_file}"
    if provider.api_key:
        return "key is set"
    return "no key, and none is needed"


def _routing(policy: Policy) -> Iterator[str]:
    order = " before ".join(policy.tier_order)
    yield f"routing: {policy.strategy}, priority {policy.priority}, {order}"
    for tier in policy.tier_order:
        yield f"tier {tier}: {_tier(policy, tier)}"
    for task, models in policy.task_models.items():
        yield f"task {task}: {', '.join(models)}"
    for alias, target in policy.aliases.items():
        yield f"alias {alias}: {target}"
    if policy.explore_share:
        work = "work too" if policy.explores_work else "not with work"
        yield f"exploring: {policy.explore_share:.0%} of the requests, {work}"
    for action in policy.on_quota_exceeded:
        yield f"when a quota is used up: {_action(action)}"
    yield f"when no answer comes: {', then '.join(policy.fallback) or 'its error'}"
    if "degraded" in policy.fallback:
        yield f"degraded answers, with a warning: {_degraded(policy)}"


def _tier(policy: Policy, tier: Tier) -> str:
    models = policy.listed(tier)
    return ", ".join(models) if models else "every model of it that a provider here has"


def _action(action: FallbackAction) -> str:
    if action.action == "use_paid":
        cap = action.max_cost_microusd
        return "pay" if cap is None else f"pay at most {dollars(cap)} for a call"
    if action.action == "use_cheaper_model":
        return f"take {action.alternative or 'the cheapest model'}"
    return "refuse" if action.message is None else f"refuse, and say {action.message!r}"


def _degraded(policy: Policy) -> str:
    work = "work too" if policy.degrades_work else "not for work"
    named = "also" if policy.degrades_named else "not"
    return f"for personal requests, {work}; {named} where a model is named"


def _payment(config: Config) -> str:
    if not config.policy.may_pay:
        return (
            "no; set GATEWAY_MONTHLY_BUDGET_USD, a budget for the tier paid, or models for the "
            "tier paid, if they should"
        )
    budgets = [limit for limit in config.limits if lets_pay(limit)]
    if not budgets:
        return "yes, without a budget, for there are models in the tier paid"
    return "yes, " + " and ".join(f"{_most(limit)} ({limit.name})" for limit in budgets)


def _limits(config: Config) -> Iterator[str]:
    # What agents may spend is said with them.
    of_agents = {limit.name for limit in limits_of(config.agents.agents)}
    for limit in config.limits:
        if limit.name in of_agents:
            continue
        binds = "".join(f", {name} {pattern}" for name, pattern in limit.where.items())
        each = f", for each {' and '.join(limit.per)}" if limit.per else ""
        soft = "" if limit.is_hard else "; it only alerts"
        yield f"{limit.kind} {limit.name}: {_most(limit)}{binds}{each}{soft}"
    if config.limits:
        yield f"alerts at {', '.join(f'{percent} %' for percent in config.alerts)} of each"


def _most(limit: Limit) -> str:
    return f"at most {limit.shown(limit.most)} in {limit.window.title}"


def _storage(config: Config) -> Iterator[str]:
    # It brings SQLAlchemy, which settings alone do not need.
    from gateway.storage.database import Database

    kept = f"{config.retention_days} days" if config.retention_days else "for ever"
    yield f"database {Database(config.database).address}: usage is kept {kept}"
    yield f"data directory {config.data_dir}"


def _services(config: Config) -> Iterator[str]:
    for service in config.services:
        yield f"service {service.name} at {service.address}"
    if not config.services:
        yield f"bundled market provider, exchange: {config.market.exchange}"
    for grpc in config.grpc_services:
        yield f"gRPC service {grpc.name} at {grpc.address}, for {_who_reads(grpc.is_public)}"
    for server in config.remote_servers:
        yield f"MCP server {server.name} at {server.way.address}"


def _who_reads(is_public: bool) -> str:
    return "everybody" if is_public else "those with a key; its documents for owners"

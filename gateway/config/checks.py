"""What no single setting shows: settings that do not fit together, or would let everybody in."""

from collections.abc import Sequence

from gateway.config.grpc_services import GrpcServiceConfig
from gateway.config.market import MarketConfig
from gateway.config.providers import VARIABLES, ProviderConfig, check_provider
from gateway.config.services import ServiceConfig, TlsConfig
from gateway.errors import ConfigurationError
from gateway.loopback import is_this_machine
from gateway.market.settings import HOST, is_web_url, shown_url
from gateway.tools.tool import OWN
from gateway.usage.limit import Limit

# All of them raise a ConfigurationError that names the key, without the file.


def check_addresses(host: str, *, url: str, public_url: str | None) -> None:
    if public_url is not None and not is_web_url(public_url):
        raise ConfigurationError(
            f"public_url: {shown_url(public_url)} is no URL such as https://gw.example.com"
        )
    if not is_web_url(url):
        raise ConfigurationError(f"host: {host!r} is no name or address such as 127.0.0.1 or ::1")


def check_services(services: Sequence[ServiceConfig], market_service: str | None) -> None:
    names = [service.name for service in services]
    if market_service not in (None, *names) or len(set(names)) < len(names):
        raise ConfigurationError(
            f"services: names must differ, and market_service be one of them: {names}"
        )
    for number, service in enumerate(services):
        tls = service.tls or TlsConfig()
        if bool(tls.certificate_file) != bool(tls.key_file):
            missing = "key_file" if tls.certificate_file else "certificate_file"
            raise ConfigurationError(
                f"services[{number}].tls.{missing}: is missing: "
                "certificate_file and key_file only go together"
            )


def check_origins(
    services: Sequence[ServiceConfig | GrpcServiceConfig], remote: Sequence[str]
) -> None:
    """A tool is known by whose it is: no two may have one name, nor the gateway's own."""
    names = [OWN, *(service.name for service in services), *remote]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(
            f"services, grpc_services and the servers of tools_file: {twice!r} is the name of two, "
            "or the gateway's own; rename one"
        )


def check_market(market: MarketConfig) -> None:
    try:
        # It is opened on this machine, whatever the gateway's own host is.
        market.settings(host=HOST, port=0)
    except ConfigurationError as error:
        raise ConfigurationError(f"market: {error}") from error


def check_providers(providers: Sequence[ProviderConfig], forced: str | None) -> None:
    names = [provider.name for provider in providers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigurationError(f"providers: two have the name {twice}; rename one")
    for number, provider in enumerate(providers):
        try:
            check_provider(provider)
        except ConfigurationError as error:
            raise ConfigurationError(f"providers[{number}] ({provider.name}): {error}") from error
    if forced and forced not in names:
        raise ConfigurationError(f"llm_provider (LLM_PROVIDER): {_not_configured(forced, names)}")


def check_database(url: str | None) -> None:
    """Only the form: nothing is opened."""
    if url is None:
        return
    # It brings SQLAlchemy, which the market provider alone does not need.
    from gateway.storage.database import Database

    try:
        Database(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"database_url (GATEWAY_DATABASE_URL): {error}") from error


def check_retention(days: int | None, limits: Sequence[Limit]) -> None:
    """A limit that is set anew is counted from what is kept."""
    # What one request may spend looks back on its own calls only, however long its window is.
    lasting = [limit for limit in limits if "request_id" not in limit.per]
    longest = max(lasting, key=lambda limit: limit.window.most_days, default=None)
    if days is not None and longest is not None and days < longest.window.most_days:
        raise ConfigurationError(
            f"retention_days: {days} is less than the limit {longest.name} looks back; "
            f"keep at least {longest.window.most_days}"
        )


def refuse_strangers(host: str, *, has_callers: bool) -> None:
    """Whoever reaches the port could spend: behind nginx it stays on this machine."""
    if is_this_machine(host) or has_callers:
        return
    raise ConfigurationError(
        f"host: {host} is reached from other machines, and no caller has a key: everybody could "
        "use the models. Set GATEWAY_API_KEYS (`gateway keys new NAME` makes a key), or host: "
        f"{HOST}"
    )


def refuse_public_account(
    market: MarketConfig, services: Sequence[ServiceConfig], *, public: str | None
) -> None:
    """Balances and orders are not for whoever finds the address: there is no login yet."""
    if public is None:
        return
    for service in services:
        if service.tools.destructive:
            raise ConfigurationError(
                f"services: {service.name}: tools.destructive shows tools that change something, "
                f"and the gateway is public ({public}): everybody could call them, because there "
                "is no login; leave it empty"
            )
    if services or not market.api_key:
        return
    if market.trading:
        raise ConfigurationError(
            f"market.trading is on and the gateway is public ({public}): everybody could trade, "
            "and nothing allows that, because there is no login; set market.trading: false, or "
            "let the gateway be reached from this machine only"
        )
    if not market.account_for_everybody:
        raise ConfigurationError(
            f"BINANCE_API_KEY is set and the gateway is public ({public}): everybody could read "
            "the account. Remove the keys, or set market.account_for_everybody: true if that is "
            "meant"
        )


def _not_configured(name: str, names: Sequence[str]) -> str:
    if name in VARIABLES:
        return f"{name} is not configured; set {VARIABLES[name]}"
    there = f"one of those that are: {', '.join(names)}" if names else f"one, such as {_EXAMPLE}"
    return f"no provider has this name; it takes {there}"


_EXAMPLE = next(iter(VARIABLES))

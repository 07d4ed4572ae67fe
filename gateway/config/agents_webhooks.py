"""Webhooks in `agents.yaml`: who may send some, and who is sent some, with which secrets."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.agents.notification import NOTIFICATION_KINDS
from gateway.agents.signatures import checked_signing_secret
from gateway.agents.webhook_secrets import WebhookSecrets
from gateway.config.agents_formats import Variable
from gateway.config.strict import Listed, Name, Strict, Text
from gateway.errors import ConfigurationError
from gateway.loopback import is_this_machine

if TYPE_CHECKING:
    from gateway.agents.webhooks_out import WebhookTarget


def _private(url: str) -> str:
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:
        scheme = host = ""
    if not host or (scheme != "https" and not (scheme == "http" and is_this_machine(host))):
        raise ValueError("takes a URL such as https://host/path; http:// only on this machine")
    return url


def _known_kinds(pattern: str) -> str:
    if not any(fnmatchcase(kind, pattern) for kind in NOTIFICATION_KINDS):
        raise ValueError(f"takes patterns of {', '.join(NOTIFICATION_KINDS)}")
    return pattern


PrivateUrl = Annotated[Text, AfterValidator(_private), Field(repr=False)]
KindPattern = Annotated[str, AfterValidator(_known_kinds)]


class SecretConfig(Strict):
    secret_env: Variable


class GitlabConfig(Strict):
    """The token that GitLab sends as it is, or the one with which it signs; or both."""

    token_env: Variable | None = None
    secret_env: Variable | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "GitlabConfig":
        if not (self.token_env or self.secret_env):
            raise ValueError("takes token_env, secret_env, or both")
        return self


class WebhooksInConfig(Strict):
    """The variables that hold the secrets of those who may send webhooks."""

    github: SecretConfig | None = None
    gitlab: GitlabConfig | None = None
    standard: SecretConfig | None = None

    def secrets(self, env: Mapping[str, str]) -> WebhookSecrets:
        """Raises:
        ConfigurationError: names the variable that is not set, or does not hold a secret.
        """
        return WebhookSecrets(
            github=self._secret("github", "secret_env", env),
            gitlab_token=self._secret("gitlab", "token_env", env),
            gitlab_signing=self._key("gitlab", env),
            standard=self._key("standard", env),
        )

    def _secret(self, sender: str, key: str, env: Mapping[str, str]) -> str | None:
        variable: str | None = getattr(getattr(self, sender), key, None)
        return _held(variable, env, at=f"webhooks_in.{sender}.{key}") if variable else None

    def _key(self, sender: str, env: Mapping[str, str]) -> str | None:
        """A secret by which webhooks are signed has a form of its own."""
        secret = self._secret(sender, "secret_env", env)
        try:
            return secret and checked_signing_secret(secret)
        except ConfigurationError as error:
            raise ConfigurationError(f"webhooks_in.{sender}.secret_env: {error}") from None


class WebhookOutConfig(Strict):
    """Where notifications go, signed; `kinds` are patterns of them, such as `suggestion.*`."""

    name: Name
    url: PrivateUrl
    secret_env: Variable
    kinds: Listed[KindPattern] = ("*",)

    def target(self, env: Mapping[str, str]) -> "WebhookTarget":
        """Raises:
        ConfigurationError: names the variable that is not set, or does not hold a secret.
        """
        # It brings SQLAlchemy and httpx, which settings alone do not need.
        from gateway.agents.webhooks_out import WebhookTarget

        at = f"webhooks_out.{self.name}"
        secret = _held(self.secret_env, env, at=f"{at}.secret_env")
        try:
            return WebhookTarget(self.name, self.url, secret, kinds=self.kinds)
        except ConfigurationError as error:
            raise ConfigurationError(f"{at}: {error}") from None


def _held(variable: str, env: Mapping[str, str], *, at: str) -> str:
    """What a variable holds."""
    value = (env.get(variable) or "").strip()
    if not value:
        raise ConfigurationError(
            f"{at}: the environment has no {variable}; set it, or leave this out"
        )
    return value

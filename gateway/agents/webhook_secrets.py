"""The secrets by which the gateway knows that a webhook is from whom it says."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """One of None lets no webhook of its kind in.

    GitLab sends either a token as it is, or a signature; both may be known.
    """

    github: str | None = field(default=None, repr=False)
    gitlab_token: str | None = field(default=None, repr=False)
    gitlab_signing: str | None = field(default=None, repr=False)
    standard: str | None = field(default=None, repr=False)

    @property
    def senders(self) -> tuple[str, ...]:
        """Whose webhooks are let in."""
        known = {
            "github": self.github,
            "gitlab": self.gitlab_token or self.gitlab_signing,
            "standard": self.standard,
        }
        return tuple(name for name, secret in known.items() if secret)

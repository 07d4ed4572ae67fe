"""Which of the gateway's tools a request wants its model to use, and which of them may just run."""

from dataclasses import dataclass, replace

from gateway.caller import Caller
from gateway.tools.tool import OWN


@dataclass(frozen=True, slots=True)
class Approval:
    """Whether a call must be allowed by the caller first; `exceptions` are names of tools."""

    is_usual: bool
    exceptions: frozenset[str] = frozenset()

    def is_needed(self, tool: str) -> bool:
        return self.is_usual != (tool in self.exceptions)


NEVER = Approval(is_usual=False)
ALWAYS = Approval(is_usual=True)


@dataclass(frozen=True, slots=True)
class Offer:
    """Tools of one `origin`, or of all, under the `label` that the caller gave them.

    `allowed` are names, or patterns such as `search*`; a pattern, and None, which is all, reach
    no tool that destroys something or spends by itself: these must be named. With `only_reads`
    no tool that writes is among them. What `is_usual` was not asked for now, and may be away.
    """

    label: str
    origin: str | None = None
    allowed: tuple[str, ...] | None = None
    approval: Approval = NEVER
    only_reads: bool = False
    is_usual: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says about the gateway's tools.

    `approved` are IDs of calls in the last message of the assistant that may run now. With
    `is_refused` there are none, whatever the caller usually has.
    """

    offers: tuple[Offer, ...] = ()
    most_calls: int | None = None
    approved: frozenset[str] = frozenset()
    is_refused: bool = False

    def or_usual(self, who: Caller) -> "Wish":
        """What the caller's own settings offer, where the request says nothing."""
        if self.offers or self.is_refused or not who.gateway_tools:
            return self
        return replace(self, offers=(Offer(OWN, None, who.gateway_tools, is_usual=True),))


NO_TOOLS = Wish()

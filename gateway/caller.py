"""Who asks: a caller, what it may use, and the one whose request is being answered."""

from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase

# Agents ask under this name, and their request is their run.
AGENT_PREFIX = "agent:"


@dataclass(frozen=True, slots=True)
class Caller:
    """One key, or whoever needs none.

    `models` and `tools` are patterns such as `openrouter/*:free`. An owner reads all documents,
    those about spending too; the others read those that are open to everybody. `may_spend` is
    false for whoever came without a key where others can come too. `gateway_tools` are the tools
    that its models may call where a request does not say it.
    """

    name: str
    models: tuple[str, ...] = ("*",)
    tools: tuple[str, ...] = ("*",)
    is_owner: bool = False
    may_spend: bool = True
    gateway_tools: tuple[str, ...] = ()

    def may_use_model(self, model_id: str) -> bool:
        return any(fnmatchcase(model_id, pattern) for pattern in self.models)

    def may_use_tool(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.tools)


# Without any keys the gateway is open, and only this machine reaches it.
LOCAL = Caller("local", is_owner=True)
ANONYMOUS = Caller("anonymous", models=(), may_spend=False)

_current: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)


def begin(caller: Caller) -> None:
    """Answer a request of this caller from here on, in this task and those that it starts."""
    _current.set(caller)


def current() -> Caller:
    return _current.get()

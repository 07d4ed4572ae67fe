"""A person's decision about a suggestion: accepted, its call is made, as that person."""

import asyncio
from collections.abc import Callable

from gateway import caller
from gateway.agents.agent import agent_of_caller
from gateway.agents.notification import NotificationKind
from gateway.agents.notifications import Notifications
from gateway.agents.suggestion import Suggestion
from gateway.agents.suggestion_store import SuggestionStore
from gateway.caller import Caller
from gateway.errors import GatewayError, PermissionDenied
from gateway.idempotency import keyed
from gateway.tools.result import written
from gateway.tools.toolbox import Toolbox

ADVICE = "taken as advice; it had no call to make"


class Deciding:
    """Each suggestion is decided once; its call is made under its ID, so that it is made once."""

    def __init__(
        self,
        suggestions: SuggestionStore,
        notifications: Notifications,
        toolbox_of: Callable[[Caller], Toolbox],
    ) -> None:
        self._suggestions = suggestions
        self._notifications = notifications
        self._toolbox_of = toolbox_of

    async def accept(self, suggestion_id: str, who: Caller, *, note: str = "") -> Suggestion:
        """Raises:
        NotFound: there is no such suggestion.
        Refused: somebody decided about it before; says who and when.
        GatewayError: its call failed; it may be accepted again.
        """
        _check_person(who)
        before = await self._suggestions.suggestion(suggestion_id)
        if before.tool is not None:
            # A call that this person may not make is no decision.
            await self._toolbox_of(who).tool(before.tool)
        suggestion = await self._suggestions.begin_accepting(suggestion_id, who.name, note)
        try:
            # In a task of its own, which is this person's to its end.
            outcome = await asyncio.create_task(self._made(suggestion, who))
        except GatewayError as error:
            await self._suggestions.failed(suggestion_id, f"{error.code}: {error}")
            raise
        except Exception:
            await self._suggestions.failed(suggestion_id, "internal: see the gateway's log")
            raise
        decided = await self._suggestions.accepted(suggestion_id, outcome)
        await self._tell("suggestion.accepted", decided)
        return decided

    async def dismiss(self, suggestion_id: str, who: Caller, *, note: str = "") -> Suggestion:
        """Raises:
        NotFound: there is no such suggestion.
        Refused: somebody decided about it before; says who and when.
        """
        _check_person(who)
        decided = await self._suggestions.dismiss(suggestion_id, who.name, note)
        await self._tell("suggestion.dismissed", decided)
        return decided

    async def _made(self, suggestion: Suggestion, who: Caller) -> str:
        if suggestion.tool is None:
            return ADVICE
        caller.begin(who)
        with keyed(suggestion.id):
            answer = await self._toolbox_of(who).call(suggestion.tool, suggestion.arguments)
        return written(answer)

    async def _tell(self, kind: NotificationKind, decided: Suggestion) -> None:
        said = {"suggestion_id": decided.id, "run_id": decided.run_id, "by": decided.decided_by}
        await self._notifications.tell(kind, decided.title, said)


def _check_person(who: Caller) -> None:
    if agent_of_caller(who.name) is not None:
        raise PermissionDenied("agents suggest, and people decide")

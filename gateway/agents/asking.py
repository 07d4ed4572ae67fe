"""One answer of an agent's model: asked as any client asks, and paid from the same ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway import caller, request_id
from gateway.agents.agent import Agent
from gateway.agents.run import Run, Step
from gateway.agents.steps import answer_of
from gateway.clock import Clock
from gateway.llm.answering import Answering
from gateway.llm.completion import Completion, Hints
from gateway.llm.gathering import Gathering
from gateway.llm.messages import ChatRequest, Message, ToolDefinition
from gateway.llm.model import Model

_CUT = "length"


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks models for agents; `model_named` finds the one that answered before."""

    completion: Completion
    model_named: Callable[[str], Model | None]
    clock: Clock

    async def ask(
        self,
        agent: Agent,
        run: Run,
        step: Step,
        *,
        messages: tuple[Message, ...],
        tools: Sequence[ToolDefinition],
        prefer: str | None,
    ) -> Step:
        """The step with its answer.

        Raises:
            GatewayError: no model answered.
        """
        # In a task of its own: both hold for it alone, and for what it calls.
        caller.begin(agent.caller)
        request_id.begin_run(run.id)
        request = ChatRequest(
            agent.model, messages, tools=tuple(tools), max_output_tokens=agent.output_tokens
        )
        hints = Hints(context="work", pays=None if agent.bounds.may_pay else False)
        model = None if prefer is None else self.model_named(prefer)
        answering = self.completion.answering(agent.caller, request, hints, prefer=model)
        gathering = Gathering()
        async with answering as answer:
            async for chunk in answer:
                gathering.add(chunk)
        return self._ended(step, answer, gathering)

    def _ended(self, step: Step, answer: Answering, gathering: Gathering) -> Step:
        first = gathering.answers[0] if gathering.answers else None
        usage = answer.usage
        message = first.message if first else Message("assistant")
        finish = first.finish_reason if first else None
        if finish == _CUT:
            # A call that was cut off is no call.
            message = replace(message, tool_calls=())
        return replace(
            step,
            ended=self.clock(),
            outcome="ok",
            answer=answer_of(message, finish=finish),
            model=answer.model.id,
            route_id=answer.route_id,
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
            cost_microusd=answer.cost_microusd,
        )

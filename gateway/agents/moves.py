"""What a run does next, from what it has done: ask its model, call a tool, or end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.agents.agent import Agent
from gateway.agents.run import Guard, Run, Status, Step
from gateway.agents.steps import message_of
from gateway.errors import LimitExceeded
from gateway.llm.loop.call_text import meaning
from gateway.llm.messages import Message, ToolCall

# Made twice it may tell something newer; a third time nothing has been learned from it.
MOST_ALIKE = 2
ANSWERED = "ok"


@dataclass(frozen=True, slots=True)
class Ask:
    """The model is asked."""

    number: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool; `said` is the message that asked for it.

    `began` is whether a process began it, and died: it may have been made.
    """

    number: int
    call: ToolCall
    said: Message
    began: bool


@dataclass(frozen=True, slots=True)
class End:
    status: Status
    because: str
    guard: Guard | None = None
    result: str | None = None


Move = Ask | Call | End


def next_move(agent: Agent, run: Run, steps: Sequence[Step], *, now: datetime) -> Move:
    """Only what is recorded decides, so that whoever goes on with a run does what it would do."""
    ended = [one for one in steps if one.ended is not None]
    began = len(steps) > len(ended)
    number = len(ended) + 1
    if (late := _too_late(agent, run, now)) is not None:
        return late
    said, calls = _open_calls(ended)
    if calls:
        assert said is not None
        return _guarded(agent, ended) or Call(number, calls[0], said, began)
    if said is not None:
        return End("done", "it answered", result=said.text)
    rounds = sum(one.kind == "ask" for one in ended)
    if rounds >= agent.bounds.most_rounds:
        return End("stopped", f"it asked its model {rounds} times, the most for a run", "rounds")
    return Ask(number)


def stopped_in_time(agent: Agent) -> End:
    """A step took longer than any may."""
    seconds = agent.bounds.step_seconds
    return End("stopped", f"its model gave no answer within {seconds:g} s", "time")


def stopped_by_limit(agent: Agent, error: LimitExceeded) -> End:
    """The next answer does not fit into what a limit has left."""
    if error.is_only_held:
        return End("stopped", f"its time was over while it waited: {error}", "time")
    guards: Mapping[str, Guard] = {
        agent.run_limit.name: "run budget",
        agent.day_limit.name: "day budget",
    }
    guard = guards.get(error.limit)
    return End("stopped" if guard else "failed", str(error), guard)


def latest_end(agent: Agent, run: Run) -> datetime:
    assert run.started is not None
    return run.started + timedelta(seconds=agent.bounds.seconds)


def _too_late(agent: Agent, run: Run, now: datetime) -> End | None:
    seconds = (now - (run.started or now)).total_seconds()
    if seconds < agent.bounds.seconds:
        return None
    return End(
        "stopped", f"it ran for {seconds:.0f} s, the most is {agent.bounds.seconds:g}", "time"
    )


def _open_calls(ended: Sequence[Step]) -> tuple[Message | None, Sequence[ToolCall]]:
    """What the model said last, if all its calls were answered or some are open; else None."""
    answers = [at for at, one in enumerate(ended) if one.kind == "ask" and one.outcome == ANSWERED]
    if not answers:
        return None, ()
    said = message_of(ended[answers[-1]])
    made = [one for one in ended[answers[-1] + 1 :] if one.kind == "call"]
    left = said.tool_calls[len(made) :]
    # All were answered: the model is asked anew.
    return (None, ()) if said.tool_calls and not left else (said, left)


def _guarded(agent: Agent, ended: Sequence[Step]) -> End | None:
    calls = [one for one in ended if one.kind == "call"]
    if len(calls) >= agent.bounds.most_calls:
        return End("stopped", f"it called tools {len(calls)} times, the most for a run", "calls")
    left = _open_calls(ended)[1]
    made = Counter(_alike(one.name, str(one.asked.get("arguments", ""))) for one in calls)
    if left and made[_alike(left[0].name, left[0].arguments)] >= MOST_ALIKE:
        return End(
            "stopped",
            f"it wanted to call {left[0].name} with exactly the same arguments "
            f"once more, after {MOST_ALIKE} times",
            "loop",
        )
    return None


def _alike(name: str, arguments: str) -> tuple[str, str]:
    return name, meaning(arguments)

"""Which cases of a suite are asked: of some tasks, as far as they can be judged, and how many."""

from collections.abc import Sequence

from gateway.benchmarks.case import Case, Judged
from gateway.errors import InvalidRequest
from gateway.llm.task import TASKS
from gateway.text import shown


def chosen(
    cases: Sequence[Case],
    *,
    tasks: Sequence[str] = (),
    has_judge: bool = False,
    most: int | None = None,
) -> tuple[Case, ...]:
    """Without a judge, those that only a model can judge are left out.

    `most` of them are taken from each task in turn.

    Raises:
        InvalidRequest: a task is none, or no case is of these tasks.
    """
    for task in tasks:
        if task not in TASKS:
            raise InvalidRequest(f"{shown(task)!r} is no task; there are {', '.join(TASKS)}")
    of_tasks = [case for case in cases if not tasks or case.task in tasks]
    fitting = [case for case in of_tasks if has_judge or not isinstance(case.check, Judged)]
    if not fitting:
        why = "without a judge" if of_tasks else f"for {', '.join(tasks)}"
        raise InvalidRequest(f"the suite has no cases {why}; ask for others")
    return _in_turn(fitting)[:most] if most is not None else tuple(fitting)


def _in_turn(cases: Sequence[Case]) -> tuple[Case, ...]:
    by_task: dict[str, list[Case]] = {}
    for case in cases:
        by_task.setdefault(case.task, []).append(case)
    rounds = max(map(len, by_task.values()))
    return tuple(
        several[number]
        for number in range(rounds)
        for several in by_task.values()
        if number < len(several)
    )

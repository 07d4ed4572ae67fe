"""What the router learns of a benchmark's results: much of an owner's, little of anybody else's."""

from gateway.benchmarks.case import Case, Judged
from gateway.benchmarks.record import Result, Run
from gateway.benchmarks.suite import shipped_suite
from gateway.evidence.evidence import Evidence
from gateway.evidence.observation import Observation

OPINION_WEIGHT = 0.5
# What all benchmarks of one caller, who is no owner, weigh together for one model at one task.
MOST_WEIGHT = 20.0


class Teaching:
    """For one run.

    Whoever writes the checks, or names the judge, could make any model look bad to all: of those
    who are no owners only cases that ship with a check of their own count, and not without end.
    """

    def __init__(self, run: Run, evidence: Evidence) -> None:
        self._run = run
        self._evidence = evidence
        self._shipped = frozenset[str]() if run.is_owners else _shipped(run)

    async def learn(self, case: Case, result: Result) -> None:
        """Several answers to one case tell of one case."""
        run = self._run
        if result.quality is None or not (run.is_owners or case.id in self._shipped):
            return
        weight = OPINION_WEIGHT if result.is_opinion else 1.0
        seen = Observation(
            model=result.model,
            task=result.task,
            kind="benchmark",
            quality=result.quality,
            weight=weight / run.settings.attempts,
            source=f"benchmark:{run.id}",
            at=result.time,
            caller="" if run.is_owners else run.caller,
            most_weight=None if run.is_owners else MOST_WEIGHT,
        )
        await self._evidence.record([seen])


def _shipped(run: Run) -> frozenset[str]:
    ours = {case.id: case for case in shipped_suite() if not isinstance(case.check, Judged)}
    return frozenset(case.id for case in run.settings.cases if ours.get(case.id) == case)

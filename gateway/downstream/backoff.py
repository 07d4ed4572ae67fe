"""How long to wait before the next attempt: twice as long each time, spread by chance."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    first_seconds: float
    most_seconds: float

    def pause_seconds(self, failures: int) -> float:
        """Between half and all of the step, so that many callers do not come back at once."""
        # Doubling stops at 2**16: a service that is away for days must not overflow a float.
        step = min(self.most_seconds, self.first_seconds * 2.0 ** min(failures - 1, 16))
        return step * random.uniform(0.5, 1)

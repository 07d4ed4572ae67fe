"""One look at how good an answer of a model was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# A benchmark judged the answer, a person did, or what became of it in use.
Kind = Literal["benchmark", "thumb", "use"]


@dataclass(frozen=True, slots=True)
class Observation:
    """`quality` is from 0 (bad) to 1 (good); `weight` is how much it tells, 1 for a whole look.

    `source` is the document that tells more, such as `benchmark:b12` or `route:r34`. All looks of
    one `caller` at one model and task weigh `most_weight` together, however many there are; None
    is no bound.
    """

    model: str
    task: str
    kind: Kind
    quality: float
    weight: float
    source: str
    at: datetime
    caller: str = ""
    most_weight: float | None = None

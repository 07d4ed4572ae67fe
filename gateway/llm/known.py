"""What is known of models at the moment: how fast they were of late, and how good they are."""

import math
import time
from collections.abc import Mapping

from gateway.evidence.evidence import Evidence
from gateway.llm.belief import NO_BELIEFS, Beliefs
from gateway.llm.provider.provider import Provider
from gateway.llm.scoring import Measured

MEASURED_SECONDS = 1.0


class Known:
    """Without evidence, only the facts of the catalog tell how good a model is."""

    def __init__(self, providers: Mapping[str, Provider], evidence: Evidence | None) -> None:
        self._providers = providers
        self._evidence = evidence
        self._measured: Mapping[str, Measured] = {}
        self._measured_at = -math.inf
        self._beliefs = NO_BELIEFS
        self._revision: object = None

    def measured(self) -> Mapping[str, Measured]:
        """By their IDs; what was seen a moment ago still holds."""
        at = time.monotonic()
        if at - self._measured_at >= MEASURED_SECONDS:
            self._measured_at = at
            self._measured = {
                model_id: Measured(pace.first_token_seconds, pace.tokens_per_second)
                for provider in self._providers.values()
                for model_id, pace in provider.paces()
            }
        return self._measured

    def beliefs(self) -> Beliefs:
        if self._evidence is not None and self._revision is not self._evidence.revision:
            self._revision = self._evidence.revision
            self._beliefs = Beliefs(self._evidence.everything)
        return self._beliefs

"""The health check at the start: a thread looks, so that no scheduler waits for the answer."""

import logging
from typing import Final

from batchtask_executor.background import Background
from batchtask_executor.backoff import Backoff
from batchtask_executor.checks.health import Premises, gather, problems
from batchtask_executor.cluster.tasks import TasksError
from batchtask_executor.config import Settings

log = logging.getLogger(__name__)

_TRIES: Final = 6
"""About half a minute: a new CRD's schema is published some seconds late."""


class Checkup(Background):
    """Examines the premises once, and logs what is wrong with them."""

    def __init__(
        self, premises: Premises, settings: Settings, *, backoff: Backoff | None = None
    ) -> None:
        super().__init__("checkup")
        self._premises = premises
        self._settings = settings
        self._backoff = backoff or Backoff()

    def _run(self) -> None:
        for failures in range(1, _TRIES + 1):
            if self._stopped.is_set():
                return
            try:
                found = problems(gather(self._premises), self._settings)
            except TasksError as error:
                last = error
                self._stopped.wait(self._backoff.seconds(failures))
            except Exception:
                log.exception("A bug stopped the health check")
                return
            else:
                self._tell(*found)
                return
        self._tell(f"the cluster can't be examined: {last}")

    def _tell(self, *found: str) -> None:
        for problem in found:
            log.error("Health check: %s", problem)

"""What tests and people look at beside AWS's API: the record, figures, and jobs to lose."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batchtask_local.batch.journal import Journal
from batchtask_local.batch.model import Job
from batchtask_local.batch.operations import World


@dataclass(frozen=True, slots=True)
class Inspection:
    """Looks into a world, and takes things from it."""

    world: World
    record: Journal

    def journal(
        self, operation: str | None = None, job_name: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the recorded calls as JSON has them."""
        return [asdict(entry) for entry in self.record.entries(operation, job_name)]

    def jobs(self) -> Sequence[Job]:
        """Return all jobs, oldest first: also children, invisible and vanished ones."""
        return list(self.world.store)

    def stats(self) -> dict[str, Any]:
        """Return how many jobs are in each state, calls had each outcome, vCPUs are in use."""
        used = self.world.engine.used()
        statuses = Counter(job.status.value for job in self.world.store)
        return {
            "jobs": dict(statuses),
            "calls": self.record.counts(),
            "vcpus": {arn: millivcpus / 1000 for arn, millivcpus in used.items()},
        }

    def vanish(self, job_id: str) -> bool:
        """Let a job be in no description and no list any more; tell if there was one."""
        return self.world.engine.vanish(job_id)

    def reclaim(self, job_id: str) -> bool:
        """Take the machine from under a job, as Spot does; tell if it had one."""
        return self.world.engine.reclaim(job_id)

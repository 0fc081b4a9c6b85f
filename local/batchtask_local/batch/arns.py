"""Amazon Resource Names of one account and region."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arns:
    """Makes the names of everything that local Batch holds."""

    region: str = "us-east-1"
    account: str = "123456789012"

    def environment(self, name: str) -> str:
        """Name a compute environment."""
        return self._batch(f"compute-environment/{name}")

    def queue(self, name: str) -> str:
        """Name a job queue."""
        return self._batch(f"job-queue/{name}")

    def definition(self, name: str, revision: int) -> str:
        """Name one revision of a job definition."""
        return self._batch(f"job-definition/{name}:{revision}")

    def definition_named(self, reference: str) -> str:
        """Name a job definition as a call does, with a revision or without."""
        return self._batch(f"job-definition/{reference}")

    def log_stream(self, group: str, stream: str) -> str:
        """Name a log stream."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{group}:log-stream:{stream}"

    def job(self, job_id: str) -> str:
        """Name a job."""
        return self._batch(f"job/{job_id}")

    def cluster(self, environment: str) -> str:
        """Name the ECS cluster behind a compute environment."""
        return f"arn:aws:ecs:{self.region}:{self.account}:cluster/{environment}_Batch"

    def task(self, environment: str, task_id: str) -> str:
        """Name the ECS task that runs one attempt."""
        return f"arn:aws:ecs:{self.region}:{self.account}:task/{environment}_Batch/{task_id}"

    def instance(self, environment: str) -> str:
        """Name the one machine of a compute environment."""
        base = f"arn:aws:ecs:{self.region}:{self.account}:container-instance"
        return f"{base}/{environment}_Batch/local"

    @property
    def user(self) -> str:
        """Who every caller is taken for."""
        return f"arn:aws:iam::{self.account}:user/local"

    def _batch(self, resource: str) -> str:
        return f"arn:aws:batch:{self.region}:{self.account}:{resource}"


def name_of(reference: str) -> str:
    """Return the name in a reference that is a name or an ARN (`definition:7` keeps its `:7`)."""
    if not reference.startswith("arn:"):
        return reference
    return reference.rpartition("/")[2]

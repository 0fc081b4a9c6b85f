"""The BatchTasks of a stage, and the jobs that were made of them."""

from collections.abc import Sequence
from typing import Any

from batchtask_api import names
from batchtask_local.batch import Job
from batchtask_local.demo.stage import Stage

_PATH = f"/apis/{names.API_VERSION}/namespaces/{names.DEFAULT_NAMESPACE}/{names.PLURAL}"


def batchtasks(stage: Stage) -> list[dict[str, Any]]:
    """Read them as the API server has them."""
    assert stage.cluster.server is not None
    found: list[dict[str, Any]] = stage.cluster.server.request("GET", _PATH)["items"]
    return found


def jobs_of(stage: Stage, task: dict[str, Any]) -> Sequence[Job]:
    """Find all jobs that were ever made of a BatchTask: their names hold its uid."""
    return [job for job in stage.batch.jobs() if task["metadata"]["uid"] in job.spec.name]

"""Turn Airflow's workloads into drafts of tasks; all of it happens in a writer's thread."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from batchtask_api import AirflowIdentity
from batchtask_executor.cluster.manifest import Identity, batch_task
from batchtask_executor.cluster.orders import Draft
from batchtask_executor.config import Settings
from batchtask_executor.jobs.environment import Executors
from batchtask_executor.jobs.job import JobBuilder
from batchtask_executor.jobs.tokens import AirflowWorkload, TokenGenerator, minted
from batchtask_executor.jobs.workload import Facts


class QueuedTaskInstance(Protocol):
    """Airflow's TaskInstanceDTO, as far as it is needed."""

    id: Any
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int


class TaskWorkload(AirflowWorkload, Protocol):
    """Airflow's ExecuteTask, as far as it is needed."""

    token: str

    @property
    def ti(self) -> Any:
        """The task instance: a QueuedTaskInstance."""


def airflow_identity(ti: QueuedTaskInstance, executor_name: str | None) -> AirflowIdentity:
    """The task instance's exact values."""
    return AirflowIdentity(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        try_number=ti.try_number,
        task_instance_id=str(ti.id),
        executor_name=executor_name,
    )


@dataclass(frozen=True, slots=True)
class Drafts:
    """Makes drafts by one configuration."""

    settings: Settings
    builder: JobBuilder
    generator: Callable[[], TokenGenerator]
    """Gives Airflow's token generator."""
    executors: Executors | None = None
    """What the jobs' containers are told of Airflow's executors."""

    def draft(self, workload: AirflowWorkload, identity: Identity) -> Draft:
        """Make the task of a workload.

        Raises:
            BadJob: its executor_config can't be used.
        """
        facts = Facts.of(workload)
        job = self.builder.job(facts.queue, facts.executor_config)
        if self.executors:
            parameters, notes = self.executors.put_into(job.parameters, job.container)
            job = replace(job, parameters=parameters, notes=(*job.notes, *notes))
        task = batch_task(
            identity,
            job,
            namespace=self.settings.namespace,
            instance=self.settings.instance,
            priority=facts.priority,
            more_labels=facts.labels,
            ttl_seconds=facts.ttl_seconds,
        )
        life = self.settings.token_life
        return Draft(
            task, lambda: minted(workload, facts.subject, self.generator, life), notes=job.notes
        )

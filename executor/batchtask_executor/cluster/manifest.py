"""The objects that a workload becomes: a BatchTask, and the Secret that goes with it."""

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr

from batchtask_api import (
    AirflowIdentity,
    BatchTask,
    BatchTaskSpec,
    Metadata,
    OwnerReference,
    Workload,
    names,
)
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing

CALLBACK: Final = "cb-"
CONNECTION_TEST: Final = "ct-"
"""What the external id of a workload that is no task instance begins with; a UUID follows."""

_PREFIX: Final = "bt-"
_NAME: Final = re.compile(
    rf"{_PREFIX}(?P<id>({CALLBACK}|{CONNECTION_TEST})?[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})"
    r"(-r(?P<restarts>[1-9][0-9]{0,3}))?"
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_LABEL_PREFIX: Final = 54
_INT32: Final = 2**31


@dataclass(frozen=True, slots=True)
class Identity:
    """Which queuing of which workload a task stands for."""

    external_id: str
    """A UUID in its usual form, Airflow's external_executor_id; or CALLBACK and its id."""
    queuing: Queuing
    airflow: AirflowIdentity | None
    """The task instance, if the workload is one."""
    restarts: int = 0
    """How many tasks of this queuing came before it, whose jobs failed before they started."""

    @property
    def name(self) -> str:
        """The task's name."""
        return task_name(self.external_id, self.restarts)


@dataclass(frozen=True, slots=True)
class WorkloadSecret:
    """The Secret that holds a workload; it shows its content to nobody but to_json()."""

    name: str
    namespace: str
    owner: OwnerReference
    content: SecretStr
    expires: datetime

    def to_json(self) -> dict[str, Any]:
        """The object as Kubernetes takes it. It holds a credential: send it, keep it nowhere."""
        content = base64.b64encode(self.content.get_secret_value().encode()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "annotations": {names.ANNOTATION_TOKEN_EXPIRES: _rfc3339(self.expires)},
                "ownerReferences": [self.owner.to_json()],
            },
            "type": names.WORKLOAD_SECRET_TYPE,
            "data": {names.WORKLOAD_SECRET_KEY: content},
        }


def external_id(text: str | None) -> str | None:
    """Airflow's external id in the form that names a task, None if it is no UUID."""
    try:
        return str(uuid.UUID(text)) if text else None
    except ValueError:
        return None


def external_id_from(queuing: str) -> str:
    """An external id for a queuing that came without one of its own, the same each time."""
    return external_id(queuing) or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{queuing}.{names.GROUP}"))


def task_name(external_id: str, restarts: int = 0) -> str:
    """The name of the task that stands for this external id, after so many that never started."""
    return f"{_PREFIX}{external_id}" + (f"-r{restarts}" if restarts else "")


def named(name: str) -> tuple[str, int] | None:
    """The external id that a task's name was made from, and its restarts; None if it wasn't."""
    found = _NAME.fullmatch(name)
    return (found["id"], int(found["restarts"] or 0)) if found else None


def queuing_of(task: BatchTask) -> Queuing | None:
    """Which queuing of its task instance made the task; None if it doesn't say."""
    by = task.metadata.annotations.get(names.ANNOTATION_QUEUING)
    at = task.metadata.annotations.get(names.ANNOTATION_QUEUED_AT)
    return Queuing(by, _moment(at)) if by else None


def batch_task(
    identity: Identity,
    job: Job,
    *,
    namespace: str,
    instance: str,
    priority: int,
    more_labels: Mapping[str, str] | None = None,
    ttl_seconds: int | None = None,
) -> BatchTask:
    """Make the BatchTask of a workload; it names its Secret, which is created after it."""
    name = identity.name
    airflow = identity.airflow
    return BatchTask(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            labels={
                names.LABEL_INSTANCE: instance,
                **(labels(airflow) if airflow else {}),
                **(more_labels or {}),
            },
            annotations=_annotations(identity.queuing),
            finalizers=(names.FINALIZER,),
        ),
        spec=BatchTaskSpec(
            job=job.parameters,
            workload=Workload(secret_name=name, container=job.container),
            airflow=identity.airflow,
            priority=max(-_INT32, min(priority, _INT32 - 1)),
            ttl_seconds_after_finished=ttl_seconds,
        ),
    )


def workload_secret(task: BatchTask, content: SecretStr, expires: datetime) -> WorkloadSecret:
    """Make the Secret of a task that was created: it is deleted with it."""
    return WorkloadSecret(
        name=task.metadata.name,
        namespace=task.metadata.namespace,
        owner=OwnerReference(
            api_version=names.API_VERSION,
            kind=names.KIND,
            name=task.metadata.name,
            uid=task.metadata.uid,
        ),
        content=content,
        expires=expires,
    )


def labels(airflow: AirflowIdentity) -> dict[str, str]:
    """The labels by which a try's tasks are found; the exact values stand in spec.airflow."""
    found = {
        names.LABEL_DAG_ID: label(airflow.dag_id),
        names.LABEL_TASK_ID: label(airflow.task_id),
        names.LABEL_RUN_ID: label(airflow.run_id),
        names.LABEL_TRY_NUMBER: str(airflow.try_number),
    }
    if airflow.map_index >= 0:
        found[names.LABEL_MAP_INDEX] = str(airflow.map_index)
    return found


def is_same_try(one: AirflowIdentity | None, other: AirflowIdentity) -> bool:
    """Whether both stand for the same try of the same task instance."""
    return one is not None and _try(one) == _try(other)


def _try(of: AirflowIdentity) -> tuple[str, str, str, int, int]:
    return of.dag_id, of.task_id, of.run_id, of.map_index, of.try_number


def label(value: str) -> str:
    """The value where it can be a label, else its beginning with a hash of the whole."""
    if _LABEL_VALUE.fullmatch(value):
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    prefix = re.sub(r"[^A-Za-z0-9._-]", "-", value)[:_LABEL_PREFIX]
    return f"{prefix}-{digest}".lstrip("._-")


def _annotations(queuing: Queuing) -> dict[str, str]:
    by = {names.ANNOTATION_QUEUING: queuing.id}
    return by if queuing.at is None else {**by, names.ANNOTATION_QUEUED_AT: _rfc3339(queuing.at)}


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The names by which the cluster, the executor and the controller know a BatchTask."""

from typing import Final

GROUP: Final = "batchtask.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "BatchTask"
PLURAL: Final = "batchtasks"
SINGULAR: Final = "batchtask"
SHORT_NAME: Final = "bt"
CATEGORY: Final = "airflow"

DEFAULT_NAMESPACE: Final = "airflow-tasks"

FINALIZER: Final = f"{GROUP}/job"
"""Held while a job may exist; only the controller drops it."""

LABEL_INSTANCE: Final = f"{GROUP}/instance"
LABEL_DAG_ID: Final = f"{GROUP}/dag-id"
LABEL_TASK_ID: Final = f"{GROUP}/task-id"
LABEL_RUN_ID: Final = f"{GROUP}/run-id"
LABEL_MAP_INDEX: Final = f"{GROUP}/map-index"
"""Of mapped tasks only: no label's value can be -1."""
LABEL_TRY_NUMBER: Final = f"{GROUP}/try-number"
LABEL_WORKLOAD: Final = f"{GROUP}/workload"
"""What Airflow wants run, where that is no task instance: callback or connection-test."""

ANNOTATION_QUEUING: Final = f"{GROUP}/queuing"
"""The `jti` of the scheduler's token: which queuing of the task instance made this task.

What is no task instance is queued once, so there it is the workload's own id.
"""
ANNOTATION_QUEUED_AT: Final = f"{GROUP}/queued-at"
"""When that was, by the scheduler's clock, as RFC 3339 in UTC."""

WORKLOAD_SECRET_TYPE: Final = f"{GROUP}/workload"
WORKLOAD_SECRET_KEY: Final = "workload.json"  # noqa: S105 - a key's name, no secret
ANNOTATION_TOKEN_EXPIRES: Final = f"{GROUP}/token-expires"
"""On the Secret: when its token ends, as RFC 3339 in UTC."""

TAG_CLUSTER: Final = f"{GROUP}/cluster"
"""Tag of a job: the uid of the kube-system namespace of the cluster that holds its task."""
TAG_TASK: Final = f"{GROUP}/task-uid"
TAG_NAMESPACE: Final = f"{GROUP}/namespace"
"""Tag of a job: the namespace that holds its task."""
TAG_RETAINED: Final = f"{GROUP}/retained"
"""Tag of a job that its task's deletion left running: no sweep ends it."""

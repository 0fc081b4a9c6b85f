"""The BatchTask resource: its names, types, phases and schema; it imports pydantic alone."""

from batchtask_api.batchtask import (
    AirflowIdentity,
    Attempt,
    BatchTask,
    BatchTaskSpec,
    BatchTaskStatus,
    Condition,
    DeletionPolicy,
    Metadata,
    OwnerReference,
    Submission,
    Workload,
)
from batchtask_api.phase import FINISHED, ConditionStatus, ConditionType, Phase, Reason

__all__ = [
    "FINISHED",
    "AirflowIdentity",
    "Attempt",
    "BatchTask",
    "BatchTaskSpec",
    "BatchTaskStatus",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "DeletionPolicy",
    "Metadata",
    "OwnerReference",
    "Phase",
    "Reason",
    "Submission",
    "Workload",
]

"""Local Batch: a server of AWS Batch's API that runs each job as a process of this machine."""

from batchtask_local.batch.attempts import StateTimes
from batchtask_local.batch.faults import ErrorFault, Faults, ReplyFault
from batchtask_local.batch.journal import Entry
from batchtask_local.batch.model import Job, Status
from batchtask_local.batch.runner import CANNOT_PULL_IMAGE, SIMULATED_IMAGE
from batchtask_local.batch.service import (
    LocalBatch,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    running,
)

__all__ = [
    "CANNOT_PULL_IMAGE",
    "SIMULATED_IMAGE",
    "Entry",
    "ErrorFault",
    "Faults",
    "Job",
    "LocalBatch",
    "LocalBatchConfig",
    "LocalBatchHandle",
    "Queue",
    "ReplyFault",
    "StateTimes",
    "Status",
    "running",
]

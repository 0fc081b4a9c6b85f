"""The controller's metrics, registered here and nowhere else."""

from prometheus_client import Counter, Gauge, Histogram

TASKS = Gauge("batchtask_tasks", "BatchTasks known to this process.", ["phase"])
WAITING = Gauge("batchtask_waiting", "BatchTasks that wait for their submission.")
LEADER = Gauge("batchtask_leader", "1 in the process that holds the Lease.")
CALLS_PER_SECOND = Gauge(
    "batchtask_aws_calls_per_second",
    "Rate at which AWS Batch calls are admitted now; of several accounts, the lowest.",
)
CALLS = Counter(
    "batchtask_aws_calls_total",
    "Calls to AWS Batch by operation and how they ended (ok, or the error's name).",
    ["operation", "outcome"],
)
PATCHES = Counter("batchtask_status_patches_total", "Status patches by outcome.", ["outcome"])
ENDS = Counter(
    "batchtask_ends_total", "Tasks that finished, by phase and reason.", ["phase", "reason"]
)
DUPLICATES = Counter(
    "batchtask_duplicate_jobs_total", "Second jobs that were found under one task's name."
)
GIVEN_UP = Counter(
    "batchtask_releases_given_up_total", "Deletions that no longer waited for AWS Batch."
)
ORPHANS = Gauge(
    "batchtask_orphans", "Live jobs of this cluster whose BatchTask was gone at the last sweep."
)
ORPHANS_ENDED = Counter("batchtask_orphans_ended_total", "Orphaned jobs that were ended.")
SUBMIT_SECONDS = Histogram(
    "batchtask_submit_seconds",
    "From a task's creation to its job's id.",
    buckets=(
        0.25,
        0.5,
        1,
        2,
        5,
        10,
        30,
        60,
        120,
        300,
        600,
        1800,
        3600,
    ),
)
SWEEP_SECONDS = Gauge(
    "batchtask_sweep_seconds",
    "How long the last sweep over live jobs took; of several accounts, the longest.",
)

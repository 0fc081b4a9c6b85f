"""Everything that the decision about one task rests on, read before it is made."""

from dataclasses import dataclass, replace

from batchtask_api import BatchTask, Reason, names, policy
from batchtask_controller.clock import Clock
from batchtask_controller.plan import Observed, WorkloadMissing, WorkloadReady
from batchtask_controller.request import Problem, validate
from batchtask_controller.store import Record
from batchtask_controller.tasks import Tasks, WorkloadSecret
from batchtask_controller.turns import Turns


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the decision rests on, and the workload for the submission that may follow."""

    observed: Observed
    workload: str | None = None

    def __repr__(self) -> str:
        return f"Gathered({self.observed!r})"


async def gather(
    record: Record, tasks: Tasks, turns: Turns, clock: Clock, rules: policy.Rules | None
) -> Gathered:
    """Read what isn't known yet; the Secret only of a task that could be submitted now."""
    observed = Observed(
        task=record.task,
        job_id=record.job_id,
        job=record.job,
        absent_sweeps=record.absent_sweeps,
        intent_is_open=record.intent_is_open,
        turn=turns.of(record),
        job_arn=record.job_arn,
        asked_for=clock.monotonic() - record.asked_at if record.asked_at is not None else 0.0,
        pause=max(0.0, record.ask_again_at - clock.monotonic()),
    )
    if not _could_be_submitted(record):
        return Gathered(observed)
    if problem := validate(record.task) or forbidden(record.task, rules):
        return Gathered(replace(observed, problem=problem))
    if record.task.spec.workload is None:
        return Gathered(observed)
    secret = await tasks.workload(record.task)
    if secret is None:
        return Gathered(replace(observed, workload=WorkloadMissing(record.workload_tries)))
    if problem := refusal(record.task, secret):
        return Gathered(replace(observed, problem=problem))
    return Gathered(replace(observed, workload=WorkloadReady(secret.expires)), secret.content)


def _could_be_submitted(record: Record) -> bool:
    task = record.task
    ends = task.status.phase.is_finished or task.is_deleting or task.spec.cancel
    return record.job_id is None and not record.intent_is_open and not ends


def forbidden(task: BatchTask, rules: policy.Rules | None) -> Problem | None:
    """What the task names that its namespace may not; with no rules at all, nothing."""
    if rules is None:
        return None
    message = policy.refusal(rules, task.metadata.namespace, task.spec.job)
    return Problem(Reason.NOT_ALLOWED, message) if message else None


def refusal(task: BatchTask, secret: WorkloadSecret) -> Problem | None:
    """Why the Secret isn't this task's workload: whoever may write BatchTasks can name any."""
    name = task.spec.workload.secret_name if task.spec.workload else ""
    if secret.type != names.WORKLOAD_SECRET_TYPE:
        return Problem(
            Reason.NOT_ALLOWED,
            f"Secret {name} is of type {secret.type!r}; a workload's must be of type "
            f"{names.WORKLOAD_SECRET_TYPE!r}",
        )
    if not any(owner.uid == task.metadata.uid for owner in secret.owners):
        return Problem(
            Reason.NOT_ALLOWED,
            f"Secret {name} has no ownerReference to this task (uid {task.metadata.uid}): it is "
            "another's",
        )
    if secret.content is None:
        return Problem(
            Reason.INVALID_SPEC, f"Secret {name} has no readable key {names.WORKLOAD_SECRET_KEY!r}"
        )
    return None

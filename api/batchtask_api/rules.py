"""What the API server itself refuses of a BatchTask, as CEL rules that name the way out."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["FieldValueForbidden", "FieldValueInvalid"]

MAX_TASK_PROPERTIES = 10
MAX_CONTAINERS = 100
"""Ten times AWS's own limits: the API server must know a bound to admit a rule over a list."""


@dataclass(frozen=True)
class Rule:
    """One `x-kubernetes-validations` entry."""

    field: str
    """The path of the field at fault, from where the rule stands; "" for the place itself."""
    cel: str
    message: str
    verdict: Verdict = "FieldValueForbidden"

    def to_json(self) -> dict[str, Any]:
        """The rule as the CRD has it."""
        found = {"rule": self.cel, "message": self.message, "reason": self.verdict}
        return found | ({"fieldPath": self.field} if self.field else {})


def _immutable(field: str, *, optional: bool) -> Rule:
    same = f"self.{field} == oldSelf.{field}"
    if optional:  # has()==has(): else it could be removed, and added anew in a second step
        same = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})"
    return Rule(
        f".{field}", same, f"spec.{field} can't be changed: create another BatchTask instead"
    )


def _not_with_workload(field: str, why: str) -> Rule:
    return Rule(
        f".job.{field}",
        f"!has(self.workload) || !has(self.job.{field})",
        f"spec.job.{field} can't go with spec.workload: {why}; remove one of the two",
    )


def _no_command_in(containers: str, keys: str) -> str:
    """Whether the container that gets the workload has none of these keys itself."""
    free = " && ".join(f"!has(c.{key})" for key in keys.split())
    first = " && ".join(f"!has({containers}[0].{key})" for key in keys.split())
    named = f"{containers}.all(c, !has(c.name) || c.name != self.workload.container || ({free}))"
    return f"(has(self.workload.container) ? {named} : size({containers}) == 0 || ({first}))"


_ECS = "self.job.ecsPropertiesOverride"
_POD = "self.job.eksPropertiesOverride.podProperties"
_ONE_COMMAND = "the workload is this container's command; remove one of the two"

SPEC_RULES: tuple[Rule, ...] = (
    _immutable("job", optional=False),
    _immutable("workload", optional=True),
    _immutable("airflow", optional=True),
    Rule(
        ".cancel",
        "!oldSelf.cancel || self.cancel",
        "spec.cancel can't be taken back: create another BatchTask instead",
    ),
    _not_with_workload("arrayProperties", "each child would start the same Airflow task"),
    _not_with_workload("nodeOverrides", "each node would start the same Airflow task"),
    Rule(
        ".job.containerOverrides.command",
        "!has(self.workload) || !has(self.job.containerOverrides)"
        " || !has(self.job.containerOverrides.command)",
        "spec.job.containerOverrides.command can't go with spec.workload: "
        "the workload is the container's command; remove one of the two",
    ),
    Rule(
        ".job.ecsPropertiesOverride.taskProperties",
        f"!has(self.workload) || !has({_ECS}) || !has({_ECS}.taskProperties)"
        f" || {_ECS}.taskProperties.all(t, !has(t.containers)"
        f" || {_no_command_in('t.containers', 'command')})",
        "spec.job.ecsPropertiesOverride.taskProperties[].containers[].command can't go with "
        f"spec.workload: {_ONE_COMMAND}",
    ),
    Rule(
        ".job.eksPropertiesOverride.podProperties.containers",
        f"!has(self.workload) || !has(self.job.eksPropertiesOverride) || !has({_POD})"
        f" || !has({_POD}.containers) || {_no_command_in(f'{_POD}.containers', 'command args')}",
        "spec.job.eksPropertiesOverride.podProperties.containers[].command and args can't go with "
        f"spec.workload: {_ONE_COMMAND}",
    ),
)
"""They stand at `spec`, which is required, so that no update gets past a rule that compares."""

TASK_RULES: tuple[Rule, ...] = (
    Rule(
        ".spec.workload.secretName",
        "!has(self.spec.workload) || self.spec.workload.secretName == self.metadata.name",
        "spec.workload.secretName must equal metadata.name: give the Secret the task's name",
        "FieldValueInvalid",
    ),
    # Here and not at status: a rule at status is not asked when status is dropped as a whole.
    Rule(
        ".status.jobId",
        "!has(oldSelf.status) || !has(oldSelf.status.jobId) || (has(self.status)"
        " && has(self.status.jobId) && self.status.jobId == oldSelf.status.jobId)",
        "status.jobId can't be changed or removed once it is there: "
        "a task has one job; create another BatchTask instead",
    ),
)
"""They stand at the object's root."""

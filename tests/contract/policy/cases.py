"""What a namespace may name and what not: one table for the Python and for the CEL."""

from dataclasses import dataclass, field
from typing import Any

from batchtask_api.policy import Allowed

EAST = "arn:aws:batch:us-east-1:111122223333"
OTHER = "arn:aws:batch:us-east-1:999999999999"

RULES = {
    "team-a": Allowed(
        job_queues=("analytics", f"{EAST}:job-queue/etl"),
        job_definitions=(
            "worker",
            "report:7",
            f"{EAST}:job-definition/loader",
            f"{EAST}:job-definition/pinned:3",
        ),
        eks_namespaces=("team-a-jobs",),
    ),
    "team-b": Allowed(job_queues=("*",), job_definitions=("*",), eks_namespaces=("*",)),
    "team-c": Allowed(),
}
"""`team-d` isn't there at all."""


@dataclass(frozen=True)
class Case:
    """A job in a namespace, and what is said to it: nothing, where it is allowed."""

    name: str
    namespace: str = "team-a"
    queue: str = "analytics"
    definition: str = "worker"
    more: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None

    @property
    def job(self) -> dict[str, Any]:
        """As spec.job has it."""
        return {"jobQueue": self.queue, "jobDefinition": self.definition, **self.more}


def _refused(what: str, named: str, allowed: str, namespace: str = "team-a") -> str:
    said = f"'{named}' is not allowed"
    return f"spec.job{what} {said} in namespace {namespace}; allowed: {allowed}"


_QUEUES = f"analytics, {EAST}:job-queue/etl"
_DEFINITIONS = ", ".join(RULES["team-a"].job_definitions)


def _queue(name: str, queue: str) -> Case:
    return Case(name, queue=queue, refused=_refused(".jobQueue", queue, _QUEUES))


def _definition(name: str, definition: str) -> Case:
    refused = _refused(".jobDefinition", definition, _DEFINITIONS)
    return Case(name, definition=definition, refused=refused)


def pod_in(namespace: str) -> dict[str, Any]:
    """An override of the pod's namespace."""
    return {"eksPropertiesOverride": {"podProperties": {"metadata": {"namespace": namespace}}}}


def nodes_in(*namespaces: str) -> dict[str, Any]:
    """The same of each node's."""
    nodes = [{"targetNodes": str(at), **pod_in(each)} for at, each in enumerate(namespaces)]
    return {"nodeOverrides": {"nodePropertyOverrides": nodes}}


def _eks(name: str, named: str, more: dict[str, Any]) -> Case:
    return Case(name, more=more, refused=_refused(": EKS namespace", named, "team-a-jobs"))


ALLOWED = (
    Case("a queue's name"),
    Case("a queue's ARN", queue=f"{EAST}:job-queue/etl"),
    Case("an ARN's queue by its name", queue="etl"),
    Case("a definition's revision", definition="worker:12"),
    Case("the one revision", definition="report:7"),
    Case("a definition's ARN", definition=f"{EAST}:job-definition/loader"),
    Case("a definition's ARN with a revision", definition=f"{EAST}:job-definition/loader:4"),
    Case("an ARN's definition by its name", definition="loader"),
    Case("an ARN's definition by its name with a revision", definition="loader:4"),
    Case("the one revision's ARN", definition=f"{EAST}:job-definition/pinned:3"),
    Case("the one revision by its name", definition="pinned:3"),
    Case("an EKS namespace", more=pod_in("team-a-jobs")),
    Case("an EKS namespace of each node", more=nodes_in("team-a-jobs", "team-a-jobs")),
    Case("no EKS namespace in an override", more={"eksPropertiesOverride": {"podProperties": {}}}),
    Case("anything where all is allowed", "team-b", "q", f"{OTHER}:job-definition/x:1"),
    Case("any EKS namespace where all are", "team-b", more=pod_in("kube-system")),
)

REFUSED = (
    _queue("another queue", "secret"),
    _queue("another account's ARN of the name", f"{OTHER}:job-queue/analytics"),
    _queue("the own account's ARN of what is listed by name", f"{EAST}:job-queue/analytics"),
    _queue("another account's ARN of the ARN's name", f"{OTHER}:job-queue/etl"),
    _queue("another region's ARN", f"{EAST.replace('us-east-1', 'eu-west-1')}:job-queue/etl"),
    _queue("another partition's ARN", f"{EAST.replace('arn:aws', 'arn:aws-cn')}:job-queue/etl"),
    _queue("another case", "Analytics"),
    _queue("a space before it", " analytics"),
    _queue("a space after it", "analytics "),
    _queue("the end of a name", "tl"),
    _queue("the end of an ARN", "job-queue/etl"),
    _queue("a wildcard", "*"),
    _queue("a revision of a queue", "analytics:1"),
    _queue("a letter that looks alike", "\u0430nalytics"),
    _queue("a definition's name", "loader"),
    _definition("another definition", "admin"),
    _definition("another revision", "report:8"),
    _definition("the latest revision", "report"),
    _definition("a revision with a zero before it", "report:07"),
    _definition("another account's definition", f"{OTHER}:job-definition/worker"),
    _definition("another account's revision", f"{OTHER}:job-definition/loader:1"),
    _definition("another revision's ARN", f"{EAST}:job-definition/pinned:4"),
    _definition("the latest revision's ARN", f"{EAST}:job-definition/pinned"),
    _definition("another revision by its ARN's name", "pinned:4"),
    _definition("latest", "worker:$LATEST"),
    _definition("latest, in small letters", "worker:latest"),
    _definition("an empty revision", "worker:"),
    _definition("two revisions", "worker:1:2"),
    _definition("a negative revision", "worker:-1"),
    _definition("a revision of other digits", "worker:\u0661"),
    _definition("another case of the definition", "Worker"),
    _queue("an empty queue", ""),
    # The API server shows no message of two lines: the plain one stands in.
    Case("a line's end after it", queue="analytics\n", refused="spec.job.jobQueue"),
    Case("a line's end after the revision", definition="worker:1\n", refused=".jobDefinition"),
    Case(
        "an empty queue where all are allowed",
        "team-b",
        queue="",
        refused=_refused(".jobQueue", "", "*", "team-b"),
    ),
    Case(
        "a namespace with empty lists",
        "team-c",
        refused=_refused(".jobQueue", "analytics", "none", "team-c"),
    ),
    Case(
        "a namespace without rules",
        "team-d",
        refused=_refused(".jobQueue", "analytics", "none", "team-d"),
    ),
    _eks("an EKS namespace that isn't listed", "kube-system", pod_in("kube-system")),
    _eks("an empty EKS namespace", "", pod_in("")),
    _eks("one node's EKS namespace", "other", nodes_in("team-a-jobs", "other")),
)

CASES = (*ALLOWED, *REFUSED)

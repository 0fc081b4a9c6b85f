"""Which job queues, job definitions and EKS namespaces the tasks of a namespace may name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

ANY: Final = "*"
"""An entry of a list that allows everything."""

_NAME: Final = "[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
_ARN: Final = "arn:aws[a-z-]*:batch:[a-z0-9-]+:[0-9]{12}"
_QUEUE: Final = re.compile(rf"({_ARN}:job-queue/)?{_NAME}")
_DEFINITION: Final = re.compile(rf"({_ARN}:job-definition/)?{_NAME}(:[1-9][0-9]*)?")
_EKS_NAMESPACE: Final = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REVISION: Final = re.compile(r":[0-9]+\Z")


def _entries(form: re.Pattern[str], what: str) -> AfterValidator:
    """Refuse an entry that could never be equal to what a task names."""

    def check(entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if entry != ANY and not form.fullmatch(entry):
                raise ValueError(f"{entry!r} is no {what}, nor '{ANY}' for any")
        return entries

    return AfterValidator(check)


class Allowed(BaseModel):
    """What the tasks of one namespace may name; an empty list allows nothing."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, frozen=True, extra="forbid"
    )

    job_queues: Annotated[tuple[str, ...], _entries(_QUEUE, "job queue's name or ARN")] = ()
    job_definitions: Annotated[
        tuple[str, ...],
        _entries(_DEFINITION, "job definition's name or ARN, with or without a revision"),
    ] = ()
    eks_namespaces: Annotated[tuple[str, ...], _entries(_EKS_NAMESPACE, "namespace")] = ()

    def to_json(self) -> dict[str, list[str]]:
        """The lists as the settings and the admission policy have them."""
        return self.model_dump(mode="json", by_alias=True)


Rules = Mapping[str, Allowed]
"""By namespace; one that isn't there may name nothing."""


def refusal(rules: Rules, namespace: str, job: Mapping[str, Any]) -> str | None:
    """Say what a namespace's job names that it may not; None: nothing.

    The admission policy (`admission.py`) has the same rules in CEL; one table of cases holds the
    two together.
    """
    allowed = rules.get(namespace, Allowed())
    return next(_refusals(allowed, namespace, job), None)


def _refusals(allowed: Allowed, namespace: str, job: Mapping[str, Any]) -> Iterator[str]:
    queue, definition = job.get("jobQueue"), job.get("jobDefinition")
    if not allows_queue(allowed.job_queues, queue):
        yield _message(namespace, ".jobQueue", queue, allowed.job_queues)
    if not allows_definition(allowed.job_definitions, definition):
        yield _message(namespace, ".jobDefinition", definition, allowed.job_definitions)
    for pod_namespace in _eks_namespaces(job):
        if not _is_in(allowed.eks_namespaces, pod_namespace):
            yield _message(namespace, ": EKS namespace", pod_namespace, allowed.eks_namespaces)


def _message(namespace: str, what: str, named: object, allowed: Sequence[str]) -> str:
    said = "is missing" if named is None else f"'{named}' is not allowed"
    may = ", ".join(allowed) or "none"
    return f"spec.job{what} {said} in namespace {namespace}; allowed: {may}"


def allows_queue(entries: Sequence[str], named: object) -> bool:
    """Whether the entries allow this job queue: as they have it, or an ARN's by its name."""
    if not isinstance(named, str) or not named:
        return False
    return _is_in(entries, named) or _by_name(entries, "job-queue", named)


def allows_definition(entries: Sequence[str], named: object) -> bool:
    """Whether the entries allow this job definition; one without a revision allows every one."""
    if not isinstance(named, str) or not named:
        return False
    every = _REVISION.sub("", named)
    return any(
        _is_in(entries, form) or _by_name(entries, "job-definition", form)
        for form in (named, every)
    )


def _is_in(entries: Sequence[str], named: str) -> bool:
    return ANY in entries or named in entries


def _by_name(entries: Sequence[str], kind: str, named: str) -> bool:
    """Never the other way round: a name says nothing of the account that an ARN names."""
    return any(entry.endswith(f":{kind}/{named}") for entry in entries)


def _eks_namespaces(job: Mapping[str, Any]) -> Iterator[str]:
    """Every EKS namespace that the job names in place of its definition's.

    A definition's service account is looked up in there: another namespace is another role.
    """
    for part in (job, *job.get("nodeOverrides", {}).get("nodePropertyOverrides", [])):
        pod = part.get("eksPropertiesOverride", {}).get("podProperties", {})
        namespace = pod.get("metadata", {}).get("namespace")
        if namespace is not None:
            yield namespace


def misplaced(allowed: Allowed, account: str | None, region: str) -> list[str]:
    """List the ARNs that are of another account or region than the namespace's jobs go to.

    Such an entry would allow its bare name there, where it is another queue's or definition's.
    """
    arns = [each for each in (*allowed.job_queues, *allowed.job_definitions) if ":batch:" in each]
    return [arn for arn in arns if not _is_of(arn, account, region)]


def _is_of(arn: str, account: str | None, region: str) -> bool:
    its_region, its_account = arn.split(":")[3:5]
    return its_region == region and account in {None, its_account}

"""What is wrong with the cluster, said once and plainly before any task meets it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from batchtask_api import BatchTaskSpec, names, rbac
from batchtask_api.structural import structural_schema
from batchtask_executor.cluster.tasks import Forbidden, TasksError
from batchtask_executor.config import SECTION, Settings


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource in the tasks' namespace."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


RIGHTS: Final = tuple(
    Right(verb, rule.group, rule.resource) for rule in rbac.EXECUTOR_RULES for verb in rule.verbs
)
"""All that the executor needs."""


class Premises(Protocol):
    """What the API server tells of the place that the tasks live in; no right is needed to ask.

    Every method may raise Unavailable.
    """

    def schema(self) -> Mapping[str, Any] | None:
        """The schema that the API server has of a BatchTask, None if it knows no such kind."""

    def may(self, right: Right) -> bool:
        """Whether this account has the right."""

    def has_namespace(self) -> bool:
        """Whether the namespace is there.

        Raises:
            Forbidden: this account may not even try to write there.
        """


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of the premises."""

    schema: Mapping[str, Any] | None
    denied: tuple[Right, ...]
    has_namespace: bool | None
    """None where this account may not know."""


def gather(premises: Premises) -> Findings:
    """Ask all there is to ask.

    Raises:
        Unavailable: the API server can't be asked.
    """
    try:
        has_namespace: bool | None = premises.has_namespace()
    except Forbidden:
        has_namespace = None
    return Findings(
        premises.schema(),
        tuple(right for right in RIGHTS if not premises.may(right)),
        has_namespace,
    )


def problems(findings: Findings, settings: Settings) -> Sequence[str]:
    """Say each thing that is wrong, and what mends it."""
    return [*_of_the_crd(findings), *_of_the_namespace(findings, settings)]


def examine(premises: Premises, settings: Settings) -> Sequence[str]:
    """Gather, and say what is wrong; an API server that can't be asked is what is wrong then."""
    try:
        return problems(gather(premises), settings)
    except TasksError as error:
        return [str(error)]


def _of_the_crd(findings: Findings) -> Iterator[str]:
    if findings.schema is None:
        yield (
            "the cluster doesn't know BatchTasks: install the CRD (manifests/crd.yaml, or the "
            "chart), then the controller"
        )
    elif lacking := missing_fields(findings.schema):
        yield (
            f"the CRD is older than this executor: it lacks {', '.join(lacking)}; install the CRD "
            "of this version, then the controller, then the executor"
        )


def _of_the_namespace(findings: Findings, settings: Settings) -> Iterator[str]:
    where = f"namespace {settings.namespace}"
    if findings.has_namespace is False:
        yield f"{where} isn't there: create it, or set [{SECTION}] namespace"
    elif len(findings.denied) == len(RIGHTS):
        yield (
            f"this account has none of the rights that it needs in {where}: create the namespace "
            "if it isn't there, and give Airflow's scheduler its rights (manifests/rbac.yaml)"
        )
    elif findings.denied:
        listed = ", ".join(str(right) for right in findings.denied)
        yield f"this account may not {listed} in {where}: see manifests/rbac.yaml"


def missing_fields(served: Mapping[str, Any]) -> Sequence[str]:
    """The fields of this executor's BatchTasks that the API server would refuse.

    The resource grows by addition alone, so that these tell an older schema from a later one.
    """
    found = served.get("properties", {}).get("spec", {})
    return sorted(_missing(structural_schema(BatchTaskSpec), found, "spec"))


def _missing(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, field in wanted.get("properties", {}).items():
        if name not in found.get("properties", {}):
            yield f"{path}.{name}"
        else:
            yield from _missing(field, found["properties"][name], f"{path}.{name}")


KIND: Final = {"group": names.GROUP, "version": names.VERSION, "kind": names.KIND}
"""How a published schema says whose it is."""

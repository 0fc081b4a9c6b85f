"""A stand-in for what an API server tells of the place that the tasks live in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchtask_api import submit_job
from batchtask_api.crd import task_schema
from batchtask_executor.checks.health import Premises, Right
from batchtask_executor.cluster.tasks import Forbidden, TasksError


@dataclass
class FakePremises:
    """All is well, unless a test says otherwise."""

    kind: Mapping[str, Any] | None = field(default_factory=lambda: task_schema(submit_job.schema()))
    denied: frozenset[Right] = frozenset()
    namespace_is_there: bool = True
    down: TasksError | None = None

    def schema(self) -> Mapping[str, Any] | None:
        self._arrive()
        return self.kind

    def may(self, right: Right) -> bool:
        self._arrive()
        return right not in self.denied

    def has_namespace(self) -> bool:
        self._arrive()
        if Right("create", "", "configmaps") in self.denied:
            raise Forbidden("configmaps is forbidden (403)")
        return self.namespace_is_there

    def _arrive(self) -> None:
        if self.down:
            raise self.down


_: type[Premises] = FakePremises

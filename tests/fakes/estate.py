"""A cluster's tasks as an uninstall sees them, and an installation as its check does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchtask_api import names
from batchtask_controller.check import Installation
from batchtask_controller.release import Estate, Held
from batchtask_controller.tasks import Gone, Unreachable


class FakeEstate:
    """Tasks with finalizers; each look at them lets a controller do its work."""

    def __init__(
        self,
        *tasks: str,
        let_go_after: int | None = None,
        comes_later: str | None = None,
        other_finalizers: tuple[str, ...] = (),
        fails_once: Exception | None = None,
        away_for: int = 0,
    ) -> None:
        self.tasks = {name: _held(name, other_finalizers) for name in tasks}
        self.stripped: list[str] = []
        self.deleted_by_us: list[str] = []
        self.takes_tasks = True
        self._let_go_after = let_go_after
        self._comes_later = comes_later
        self._fails_once = fails_once
        self._away_for = away_for
        self._looks = 0

    async def delete_definition(self) -> None:
        self.takes_tasks = False
        self.tasks = {name: replace(task, is_deleting=True) for name, task in self.tasks.items()}

    async def held(self) -> Sequence[Held]:
        self._looks += 1
        if self._looks <= self._away_for:
            raise Unreachable("no answer")
        if self._looks == self._let_go_after:
            for name in list(self.tasks):
                self._without_ours(name)
        if self._looks == 2 and self._comes_later and self.takes_tasks:
            self.tasks[self._comes_later] = _held(self._comes_later, ())
        return list(self.tasks.values())

    async def delete(self, task: Held) -> None:
        self._fail()
        self.deleted_by_us.append(task.name)
        self._change(task.name, is_deleting=True)

    async def drop_finalizer(self, task: Held) -> None:
        self._fail()
        if task.name not in self.tasks:
            raise Gone(str(task))
        self.stripped.append(task.name)
        self._without_ours(task.name)

    def _without_ours(self, name: str) -> None:
        others = tuple(each for each in self.tasks[name].finalizers if each != names.FINALIZER)
        self._change(name, finalizers=others)

    def _change(self, name: str, **changes: Any) -> None:
        task = replace(self.tasks.pop(name), **changes)
        if task.finalizers or not task.is_deleting:
            self.tasks[name] = task

    def _fail(self) -> None:
        error, self._fails_once = self._fails_once, None
        if error is not None:
            raise error


def _held(name: str, others: tuple[str, ...]) -> Held:
    return Held(
        namespace="airflow-tasks",
        name=name,
        uid=f"uid-{name}",
        resource_version="1",
        finalizers=(names.FINALIZER, *others),
        is_deleting=False,
        job_id=None,
    )


class FakeInstallation:
    """A Lease that somebody holds and maybe renews."""

    def __init__(self, *, holder: str | None, renews: bool = False) -> None:
        self._holder = holder
        self._renews = renews
        self._version = 1

    async def see_tasks(self, namespace: str) -> None:
        del namespace

    async def lease(self) -> Mapping[str, Any] | None:
        if self._holder is None:
            return None
        self._version += self._renews
        return {
            "metadata": {"resourceVersion": str(self._version)},
            "spec": {"holderIdentity": self._holder},
        }


_: tuple[type[Estate], type[Installation]] = (FakeEstate, FakeInstallation)

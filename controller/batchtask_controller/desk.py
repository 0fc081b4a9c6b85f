"""The desks of a process: for each AWS account and region one, which waits for no other."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchtask_controller.pacer import Pacer
from batchtask_controller.places import Place, Places
from batchtask_controller.reconcile import Reconciler
from batchtask_controller.store import Store
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What deals with one account and region: its budget, its queue, its line, its reconciler."""

    pacer: Pacer
    queue: WorkQueue
    waiting: Waiting
    reconciler: Reconciler


class Desks:
    """All desks, and which of them looks at a task: the one where its job is, or will be."""

    def __init__(self, store: Store, places: Places, desks: Mapping[Place, Desk]) -> None:
        self._store = store
        self._places = places
        self._desks = desks
        self.all = tuple(desks.values())

    def add(self, uid: str) -> None:
        """Have a task looked at, while it is there."""
        if (desk := self._of(uid)) is not None:
            desk.queue.add(uid)

    async def reconcile(self, uid: str, at: Desk) -> None:
        """Look at a task whose turn has come at a desk, unless it is another's by now."""
        if self._of(uid) in {at, None}:  # of one that is gone there is something to forget
            await at.reconciler.reconcile(uid)
        else:
            at.waiting.discard(uid)
            self.add(uid)

    def _of(self, uid: str) -> Desk | None:
        record = self._store.get(uid)
        return None if record is None else self._desks[self._places.of(record)]

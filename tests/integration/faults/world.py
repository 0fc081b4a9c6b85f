"""A namespace, local Batch and what is common to all that these tests look at."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from batchtask_api import names
from batchtask_local.apiserver import ApiServer, RequestRefusedError
from batchtask_local.batch import SIMULATED_IMAGE, Job, LocalBatchHandle
from integration.api.cluster import Tasks

DEFINITION: Mapping[str, Any] = {
    "jobDefinitionName": "simulated",
    "type": "container",
    "containerProperties": {
        "image": SIMULATED_IMAGE,
        "command": ["exit", "0"],
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": "128"},
        ],
    },
}
FOREVER = 100_000
WRITERS = 8

Body = dict[str, Any]


def a_task(name: str, *, seconds: float = 0, queue: str = "default", **spec: Any) -> Body:
    """Build a task whose job takes so many of local Batch's seconds."""
    command = ["sleep", str(seconds)]
    job = {
        "jobQueue": queue,
        "jobDefinition": "simulated",
        "containerOverrides": {"command": command},
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "finalizers": [names.FINALIZER]},
        "spec": {"job": job, **spec},
    }


class World:
    """The tasks of one namespace and the jobs of one local Batch."""

    def __init__(self, server: ApiServer, namespace: str, batch: LocalBatchHandle) -> None:
        self.server = server
        self.namespace = namespace
        self.batch = batch
        self.tasks = Tasks(server, namespace)

    def create(self, *bodies: Body) -> None:
        """Create tasks, several at a time."""
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(self.tasks.create, bodies):
                pass

    def all(self) -> dict[str, Body]:
        """Read every task, by name."""
        found = self.server.request("GET", self.tasks.path())["items"]
        return {item["metadata"]["name"]: item for item in found}

    def phases(self) -> Counter[str]:
        """Count the tasks by phase."""
        return Counter(phase(task) for task in self.all().values())

    def is_in(self, wanted: str, *of: str) -> bool:
        """Tell whether all these tasks are in a phase; without names: every one there is."""
        tasks = self.all()
        return bool(tasks) and all(
            phase(tasks[name]) == wanted if name in tasks else False for name in of or tasks
        )

    def blocked(self, name: str) -> tuple[str, str]:
        """Return why a task is blocked, and AWS's words; two empty words if it isn't."""
        found = condition(self.tasks.get(name), "Blocked")
        return (found["reason"], found["message"]) if found.get("status") == "True" else ("", "")

    def jobs_of(self, task: Body) -> list[Job]:
        """Return every job that was ever made of a task."""
        uid = task["metadata"]["uid"]
        return [job for job in self.batch.jobs() if uid in job.spec.name]

    def audit(self) -> None:
        """Check that no task has two jobs, and that none has ended without its own."""
        made = Counter(uid_in(job) for job in self.batch.jobs())
        assert [uid for uid, number in made.items() if number > 1] == []
        ended = [task for task in self.all().values() if phase(task) == "Succeeded"]
        assert [name(task) for task in ended if made[task["metadata"]["uid"]] != 1] == []

    def running_jobs(self) -> list[Job]:
        """Return the jobs that have not ended, vanished ones too."""
        return [job for job in self.batch.jobs() if not job.status.has_ended]

    def statuses(self) -> Counter[str]:
        """Count the jobs by status."""
        return Counter(job.status for job in self.batch.jobs())

    def calls(self, operation: str) -> int:
        """Count the calls of an operation."""
        return len(self.batch.journal(operation))


def phase(task: Body) -> str:
    """Return a task's phase, Pending where nobody has written one."""
    return str(task.get("status", {}).get("phase", "Pending"))


def name(task: Body) -> str:
    """Return a task's name."""
    return str(task["metadata"]["name"])


def condition(task: Body, kind: str) -> Body:
    """Return a task's condition of a type, {} where it has none."""
    conditions: Iterable[Body] = task.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == kind), {})


def uid_in(job: Job) -> str:
    """Return the uid of the task that a job was made of: the name is `words-<uid>-<attempt>`."""
    return "-".join(job.spec.name.split("-")[-6:-1])


def is_gone(read: Callable[[], object]) -> bool:
    """Tell whether what is read isn't there."""
    try:
        read()
    except RequestRefusedError as error:
        return error.reason == "NotFound"
    return False


def eventually(
    condition: Callable[[], object], *, seconds: float = 15.0, every: float = 0.05
) -> None:
    """Return once the condition holds; an AssertionError if it doesn't within so long.

    It looks rarely: what is asked here are servers and whole lists, on few cores.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every)


@contextmanager
def again_and_again(act: Callable[[int], object]) -> Iterator[list[int]]:
    """Do something in a thread, with a growing number, until the block ends; gives how often."""
    done, stop, failures = [0], threading.Event(), list[Exception]()

    def loop() -> None:
        while not stop.is_set():
            try:
                act(done[0])
            except (OSError, RequestRefusedError) as error:
                failures.append(error)
                return
            done[0] += 1

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join(30)
    assert failures == []

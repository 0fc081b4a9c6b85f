from dataclasses import replace

import pytest

from batchtask_local.batch.container import resolve
from batchtask_local.batch.model import ComputeEnvironment, Container, Job
from batchtask_local.batch.scheduler import (
    MAX_RESOURCE,
    RESOURCE_REQUIREMENT,
    Fit,
    Full,
    Line,
    Placed,
    Stuck,
    place,
)
from unit.local.batch.lab import definition, lab

SMALL = ComputeEnvironment("small", "arn:small", "uuid", True, 2000, {})
LARGE = ComputeEnvironment("large", "arn:large", "uuid", True, 8000, {})
OFF = replace(LARGE, name="off", arn="arn:off", enabled=False)


def container(vcpus: float = 1, memory_mib: int = 512, gpus: int = 0) -> Container:
    return replace(
        resolve(definition(), {}), millivcpus=round(vcpus * 1000), memory_mib=memory_mib, gpus=gpus
    )


@pytest.mark.parametrize(
    ("needed", "environments", "used", "expected"),
    [
        (container(1), [SMALL, LARGE], {}, Placed(SMALL)),
        (container(1), [SMALL, LARGE], {"arn:small": 1500}, Placed(LARGE)),
        (container(0.5), [SMALL, LARGE], {"arn:small": 1500}, Placed(SMALL)),
        (container(4), [SMALL, LARGE], {}, Placed(LARGE)),
        (container(4), [SMALL, LARGE], {"arn:large": 6000}, Full()),
        (container(4), [SMALL], {}, Stuck(MAX_RESOURCE)),
        (container(1), [OFF, SMALL], {}, Placed(SMALL)),
        (container(1), [OFF], {}, Full()),
        (container(1, memory_mib=4096), [LARGE], {}, Stuck(RESOURCE_REQUIREMENT)),
        (container(1, gpus=1), [LARGE], {}, Stuck(RESOURCE_REQUIREMENT)),
    ],
)
def test_the_first_environment_with_room_is_taken(
    needed: Container,
    environments: list[ComputeEnvironment],
    used: dict[str, int],
    expected: Fit,
) -> None:
    assert place(needed, environments, used, instance_memory_mib=2048) == expected


def jobs(*shares_and_priorities: tuple[str | None, int]) -> list[Job]:
    made = lab(main=1)
    ids = [made.submit() for _ in shares_and_priorities]
    return [
        replace(job, spec=replace(job.spec, share=share, scheduling_priority=priority))
        for job, (share, priority) in zip(map(made.job, ids), shares_and_priorities, strict=True)
    ]


def drained(line: Line, waiting: list[Job]) -> list[int]:
    """Return the positions of jobs in the order in which a line gives them out."""
    order = []
    by_number = {job.number: position for position, job in enumerate(waiting)}
    while (number := line.head({})) is not None:
        order.append(by_number[number])
        line.remove(waiting[by_number[number]])
    return order


def test_first_come_first_served_whatever_the_priority() -> None:
    waiting = jobs((None, 1), (None, 9), (None, 5))
    line = Line()
    for job in reversed(waiting):
        line.add(job)

    assert drained(line, waiting) == [0, 1, 2]


def test_in_a_share_the_highest_scheduling_priority_comes_first() -> None:
    waiting = jobs(("blue", 1), ("blue", 9), ("blue", 9))
    line = Line()
    for job in waiting:
        line.add(job)

    assert drained(line, waiting) == [1, 2, 0]


def test_the_share_that_uses_least_comes_first() -> None:
    waiting = jobs(("blue", 9), ("red", 1))
    line = Line()
    for job in waiting:
        line.add(job)

    assert line.head({"blue": 4000, "red": 1000}) == waiting[1].number
    assert line.head({"blue": 1000, "red": 4000}) == waiting[0].number


def test_a_line_forgets_who_left_and_ignores_who_was_not_in() -> None:
    first, second = jobs((None, 0), (None, 0))
    line = Line()
    line.add(first)
    line.remove(second)
    line.remove(first)
    line.remove(first)

    assert len(line) == 0
    assert line.head({}) is None

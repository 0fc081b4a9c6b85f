from typing import Any

from batchtask_local.batch.model import Status
from unit.local.batch.lab import Lab, definition, lab

QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/main"


def submit_named(made: Lab, *names: str, **more: Any) -> list[str]:
    return [made.submit(jobName=name, **more) for name in names]


def names(made: Lab, numbers: list[int]) -> list[str]:
    return [made.store.numbered(number).spec.name for number in numbers]


def test_names_are_found_in_any_case() -> None:
    made = lab(main=1)
    submit_named(made, "Test1", "test1", "Test10", "other")

    assert names(made, made.store.named(QUEUE, "test1")) == ["Test1", "test1"]


def test_a_trailing_star_finds_what_begins_so() -> None:
    made = lab(main=1)
    submit_named(made, "Test1", "test1", "Test10", "tes", "other")

    assert names(made, made.store.named(QUEUE, "TEST1*")) == ["Test1", "test1", "Test10"]
    assert len(made.store.named(QUEUE, "*")) == 5


def test_definitions_are_found_by_name_revision_and_start() -> None:
    made = lab(main=1)
    for name in ("jd1", "jd1A", "jd1"):
        made.definitions.register(definition(name))
    for reference in ("jd1:1", "jd1:2", "jd1A"):
        submit_named(made, reference.replace(":", "-"), jobDefinition=reference)
    arn = "arn:aws:batch:us-east-1:123456789012:job-definition/jd1:2"

    assert names(made, made.store.defined_by(QUEUE, "jd1")) == ["jd1-1", "jd1-2"]
    assert names(made, made.store.defined_by(QUEUE, "jd1*")) == ["jd1-1", "jd1-2", "jd1A"]
    assert names(made, made.store.defined_by(QUEUE, arn)) == ["jd1-2"]
    assert made.store.defined_by(QUEUE, "JD1") == []


def test_times_are_exclusive_on_both_sides() -> None:
    made = lab(main=1)
    start = made.clock.now()
    for name in ("a", "b", "c"):
        submit_named(made, name)
        made.advance(1)

    assert names(made, made.store.created(QUEUE, before=start + 1000)) == ["a"]
    assert names(made, made.store.created(QUEUE, after=start + 1000)) == ["c"]


def test_pages_go_from_new_to_old_and_miss_nothing_that_moves_on() -> None:
    made = lab(main=100)
    submit_named(made, *(f"job-{number}" for number in range(5)))
    numbers = made.store.with_status(QUEUE, Status.SUBMITTED)

    first = made.store.page(numbers, None, 2, made.clock.now())
    submit_named(made, "late")
    second = made.store.page(numbers, first.before, 2, made.clock.now())
    third = made.store.page(numbers, second.before, 2, made.clock.now())

    pages = [[job.spec.name for job in page.jobs] for page in (first, second, third)]
    assert pages == [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]]
    assert third.before is None


def test_a_page_that_is_just_full_has_no_next() -> None:
    made = lab(main=1)
    submit_named(made, "a", "b")

    page = made.store.page(made.store.with_status(QUEUE, Status.SUBMITTED), None, 2, 1 << 60)

    assert (len(page.jobs), page.before) == (2, None)


def test_a_vanished_job_is_on_no_page() -> None:
    made = lab(main=1)
    first, second = submit_named(made, "a", "b")
    made.engine.vanish(first)

    page = made.store.page(made.store.named(QUEUE, "*"), None, 10, made.clock.now())

    assert [job.id for job in page.jobs] == [second]


def test_a_job_is_under_its_status_alone() -> None:
    made = lab(main=1)
    running, waiting = submit_named(made, "a", "b")
    made.advance(0.5)

    assert made.store.counts(QUEUE)[Status.SUBMITTED] == 2

    made.advance(2)
    counts = {status: count for status, count in made.store.counts(QUEUE).items() if count}

    assert counts == {Status.STARTING: 1, Status.RUNNABLE: 1}
    assert made.status(running) is Status.STARTING
    assert made.status(waiting) is Status.RUNNABLE

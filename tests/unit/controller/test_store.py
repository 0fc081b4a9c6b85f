"""The store: it never goes back, and never forgets what it sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask_api import Phase
from batchtask_controller.batch import JobStatus
from batchtask_controller.store import Record, Store
from builders import a_job, a_reference, a_status, a_submission, a_task, a_uid


def test_a_new_task_is_news() -> None:
    store = Store()

    assert store.observe(a_task())
    assert len(store) == 1


@given(st.lists(st.integers(1, 20), min_size=1))
def test_the_newest_version_stays_whatever_the_order(versions: list[int]) -> None:
    store = Store()

    for version in versions:
        store.observe(a_task(version=version))

    record = store.get(a_uid())
    assert record is not None
    assert record.task.metadata.resource_version == str(max(versions))


def test_versions_are_compared_as_numbers() -> None:
    store = Store()
    store.observe(a_task(version=99))

    assert store.observe(a_task(version=100))


def test_the_echo_of_a_write_is_no_news() -> None:
    store = Store()
    store.observe(a_task(version=5))
    store.refresh(a_task(version=6))

    assert not store.observe(a_task(version=6))
    assert not store.observe(a_task(version=5))


def test_the_answer_to_a_write_does_not_bring_a_task_back() -> None:
    store = Store()
    store.observe(a_task(version=5))
    store.forget(a_uid())

    store.refresh(a_task(version=6))

    assert store.get(a_uid()) is None


def test_a_namesake_is_another_task() -> None:
    store = Store()
    store.observe(a_task(version=5))

    assert store.observe(a_task(uid=a_uid(2), version=3))
    assert set(store.uids()) == {a_uid(1), a_uid(2)}


def test_an_old_version_does_not_hide_a_job_that_was_sent() -> None:
    intent = a_submission()
    record = Record(a_task(status=a_status(Phase.SUBMITTING, submission=intent)))

    record.sent.append(a_reference(7))

    assert record.job_id == "job-7"
    assert not record.intent_is_open
    assert record.is_live


def test_an_intent_without_a_job_is_open() -> None:
    record = Record(a_task(status=a_status(Phase.SUBMITTING, submission=a_submission())))

    assert record.intent_is_open


def test_of_intents_that_were_never_sent_none_is_open() -> None:
    first, second = a_submission(attempt=1), a_submission(attempt=2)
    record = Record(a_task(status=a_status(Phase.SUBMITTING, submission=first)))

    record.unsent |= {first, second}

    assert not record.intent_is_open


def test_an_intent_is_the_same_after_its_way_through_the_api_server() -> None:
    sent = a_task(status=a_status(Phase.SUBMITTING, submission=a_submission()))
    record = Record(type(sent).from_json(sent.to_json()))

    record.unsent.add(a_submission())

    assert not record.intent_is_open


@pytest.mark.parametrize(
    ("phase", "job_id", "live"),
    [
        (Phase.PENDING, None, False),
        (Phase.SUBMITTED, "job-1", True),
        (Phase.RUNNING, "job-1", True),
        (Phase.SUCCEEDED, "job-1", False),
        (Phase.LOST, "job-1", False),
    ],
)
def test_a_job_is_watched_until_its_task_has_finished(
    phase: Phase, job_id: str | None, live: bool
) -> None:
    store = Store()
    store.observe(a_task(status=a_status(phase, job_id=job_id)))

    assert (len(list(store.live())) == 1) is live


def test_what_was_seen_of_jobs_can_be_forgotten_but_not_what_was_sent() -> None:
    store = Store()
    store.observe(a_task())
    record = store.get(a_uid())
    assert record is not None
    record.job, record.absent_sweeps = a_job(JobStatus.RUNNING), 2
    record.sent.append(a_reference())

    store.forget_jobs()

    assert record.absent_sweeps == 0
    assert [each.job for each in store.live()] == [None]
    assert record.job_id == "job-1"

"""The ledger's table, cell by cell, and what its words mean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.utils.state import TaskInstanceState
from hypothesis import given
from hypothesis import strategies as st

from batchtask_executor.following.ledger import (
    HANDOVER,
    Cancel,
    Free,
    Hold,
    Keep,
    Known,
    Report,
    Restart,
    Standing,
    Stop,
    Tell,
    Terms,
    TimeOut,
    Verdict,
    Write,
    standing,
    verdict,
)
from batchtask_executor.following.outcome import (
    Failed,
    Outcome,
    Queued,
    Running,
    Stopped,
    Succeeded,
)
from batchtask_executor.following.rows import Row

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
GRACE = timedelta(seconds=300)
TERMS = Terms(start_retries=3, finish_grace=GRACE, scheduler=7)
OURS, REPLACED = "ours", "replaced"

WAITING, SUBMITTED, RUNNING = Queued(), Queued(is_submitted=True), Running()
SUCCEEDED, FAILED, STOPPED = Succeeded("well"), Failed("host terminated"), Stopped("by hand")
ENDS: list[Outcome] = [SUCCEEDED, FAILED, STOPPED]
SEEN: list[Outcome | None] = [None, WAITING, SUBMITTED, RUNNING, *ENDS]


def a_row(**of: Any) -> Row:
    values: dict[str, Any] = {
        "ti_id": "1",
        "key": "load",
        "try_number": 1,
        "state": "queued",
        "external_id": OURS,
        "queued_by": 7,
        "queued_at": NOW - timedelta(seconds=600),
    }
    return Row(**values | of)


def started(**of: Any) -> Row:
    return a_row(pid=17, heartbeat_at=NOW - timedelta(seconds=60), **of)


def known(seen: Outcome | None = WAITING, **of: Any) -> Known:
    return Known(frozenset({OURS, REPLACED}), OURS, 1, seen=seen, **of)


ROWS: dict[Standing, Row | None] = {
    Standing.QUEUED: a_row(),
    Standing.RUNNING: started(state="running"),
    Standing.RESTARTING: started(state="restarting"),
    Standing.THEIRS: a_row(queued_by=8),
    Standing.OVER: started(state="success"),
    Standing.GONE: None,
}

K, W, H, F, S, C = Keep(), Write(), Hold(), Free(), Stop(), Cancel()
AGAIN = Restart(FAILED.info)
R = {end: Report(end) for end in (SUCCEEDED, FAILED, STOPPED)}
TABLE: dict[Outcome | None, tuple[Verdict, ...]] = {
    # what is seen: QUEUED, RUNNING, RESTARTING, THEIRS, OVER, GONE
    None: (W, K, K, H, F, F),
    WAITING: (K, K, S, H, C, C),
    SUBMITTED: (K, K, H, H, H, H),
    RUNNING: (K, K, H, H, H, H),
    SUCCEEDED: (*[R[SUCCEEDED]] * 3, H, F, F),
    FAILED: (AGAIN, R[FAILED], R[FAILED], H, F, F),
    STOPPED: (*[R[STOPPED]] * 3, H, F, F),
}
IN_TIME: dict[tuple[Outcome | None, Standing], Verdict] = {
    **{(seen, Standing.THEIRS): F for seen in SEEN},
    **{(seen, Standing.RESTARTING): S for seen in (SUBMITTED, RUNNING)},
    **{
        (seen, where): C
        for seen in (SUBMITTED, RUNNING)
        for where in (Standing.OVER, Standing.GONE)
    },
}
CELLS = [(seen, where) for seen in SEEN for where in Standing]


def cell(seen: Outcome | None, where: Standing) -> Verdict:
    return TABLE[seen][list(ROWS).index(where)]


@pytest.mark.parametrize("where", list(Standing))
def test_the_rows_stand_as_they_are_named(where: Standing) -> None:
    assert standing(ROWS[where], known(), TERMS) is where


@pytest.mark.parametrize(("seen", "where"), CELLS)
def test_each_cell_at_first_sight(seen: Outcome | None, where: Standing) -> None:
    assert verdict(ROWS[where], known(seen), TERMS, NOW) == cell(seen, where)


@pytest.mark.parametrize(("seen", "where"), CELLS)
@pytest.mark.parametrize("limit", ["before", "after"])
def test_each_cell_once_time_is_up(seen: Outcome | None, where: Standing, limit: str) -> None:
    lasts = HANDOVER if where is Standing.THEIRS else GRACE
    since = NOW - lasts + timedelta(seconds=1 if limit == "before" else 0)
    expected = cell(seen, where)
    if limit == "after":
        expected = IN_TIME.get((seen, where), expected)

    assert verdict(ROWS[where], known(seen, unwanted_since=since), TERMS, NOW) == expected


@pytest.mark.parametrize("state", [None, *TaskInstanceState])
def test_every_state_of_airflows_has_its_standing(state: TaskInstanceState | None) -> None:
    where = standing(a_row(state=state and state.value), known(), TERMS)

    is_waited_for = state in (
        TaskInstanceState.QUEUED,
        TaskInstanceState.RUNNING,
        TaskInstanceState.RESTARTING,
    )
    assert where.value == (state.value if is_waited_for and state else "over")


@pytest.mark.parametrize(
    ("row", "of"),
    [
        (a_row(external_id="another"), {}),
        (a_row(external_id=None, state=None), {}),
        (a_row(try_number=2), {}),
        (a_row(), {"is_current": False}),
    ],
)
def test_what_is_not_ours_any_more_is_gone(row: Row, of: dict[str, Any]) -> None:
    assert standing(row, known(**of), TERMS) is Standing.GONE


def test_before_its_row_was_read_any_try_is_its_own() -> None:
    row = a_row(try_number=5)

    assert standing(row, replace(known(), try_number=None), TERMS) is Standing.QUEUED


@pytest.mark.parametrize("replaced", [REPLACED, None])
@pytest.mark.parametrize("state", ["queued", "running"])
@pytest.mark.parametrize("seen", SEEN)
def test_a_row_that_has_the_id_which_ours_replaced_is_ours_and_is_told(
    replaced: str | None, state: str, seen: Outcome | None
) -> None:
    has_replaced = replace(known(seen), external_ids=frozenset({OURS, replaced}))
    row = a_row(state=state)

    decided = verdict(replace(row, external_id=replaced), has_replaced, TERMS, NOW)

    expected = verdict(row, has_replaced, TERMS, NOW)
    is_live = isinstance(seen, Queued | Running)
    assert decided == (Tell() if is_live and expected == Keep() else expected)


@pytest.mark.parametrize(("scheduler", "queued_by"), [(None, 8), (7, None)])
def test_without_a_schedulers_id_the_row_is_ours(
    scheduler: int | None, queued_by: int | None
) -> None:
    terms = replace(TERMS, scheduler=scheduler)

    assert standing(a_row(queued_by=queued_by), known(), terms) is Standing.QUEUED


@pytest.mark.parametrize("restarts", range(5))
@pytest.mark.parametrize("most", [0, 1, 3])
def test_what_never_started_is_made_again_at_most_so_many_times(restarts: int, most: int) -> None:
    terms = replace(TERMS, start_retries=most)

    decided = verdict(a_row(), known(FAILED, restarts=restarts), terms, NOW)

    assert decided == (AGAIN if restarts < most else Report(FAILED))


@pytest.mark.parametrize("external_id", [OURS, REPLACED])
@pytest.mark.parametrize("why", ["", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"])
def test_a_task_that_waits_for_too_long_is_timed_out_with_awss_reason(
    external_id: str, why: str
) -> None:
    terms = replace(TERMS, queued_timeout=timedelta(seconds=600))
    row = a_row(external_id=external_id)

    decided = verdict(row, known(Queued(why, is_submitted=True)), terms, NOW)

    assert isinstance(decided, TimeOut)
    assert (why or "AWS Batch gives no reason") in decided.info
    assert "queued_timeout, 600 s" in decided.info


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        (started(state="running"), SUBMITTED),
        (a_row(), RUNNING),
        (a_row(queued_at=NOW - timedelta(seconds=599)), SUBMITTED),
        (a_row(queued_at=None), SUBMITTED),
    ],
)
def test_nothing_else_is_timed_out(row: Row, seen: Outcome) -> None:
    terms = replace(TERMS, queued_timeout=timedelta(seconds=600))

    assert verdict(row, known(seen), terms, NOW) == Keep()


def test_without_a_timeout_a_task_waits_for_days() -> None:
    row = a_row(queued_at=NOW - timedelta(days=9))

    assert verdict(row, known(SUBMITTED), TERMS, NOW) == Keep()


@pytest.mark.parametrize(
    ("seen", "is_adopted", "expected"),
    [
        (Queued(lacks_token=True), False, Write()),
        (Queued(lacks_token=True), True, Write()),
        (WAITING, True, Write()),
        (SUBMITTED, True, Keep()),
        (RUNNING, True, Keep()),
    ],
)
def test_a_workload_is_written_where_it_may_be_missing(
    seen: Outcome, is_adopted: bool, expected: Verdict
) -> None:
    assert verdict(a_row(), known(seen, is_adopted=is_adopted), TERMS, NOW) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (a_row(state="failed"), Cancel()),
        (a_row(state=None, external_id=None), Cancel()),
        (a_row(state="failed", pid=17, heartbeat_at=NOW - timedelta(days=1)), Cancel()),
        (started(state="failed"), Hold()),
        (started(state=None, external_id=None), Hold()),
        (a_row(state="failed", pid=17, heartbeat_at=NOW, queued_at=None), Hold()),
        (a_row(external_id="another"), Hold()),  # queued again: the row says nothing of ours
    ],
)
def test_a_job_is_cancelled_at_once_only_if_its_task_cannot_have_started(
    row: Row, expected: Verdict
) -> None:
    """The controller sees a job run up to a sweep late: a short task may be over by then."""
    assert verdict(row, known(SUBMITTED), TERMS, NOW) == expected


@given(
    st.sampled_from(SEEN),
    st.sampled_from([None, "queued", "running", "success", "failed", "deferred", "scheduled"]),
    st.sampled_from([OURS, REPLACED, "another", None]),
    st.sampled_from([None, 7, 8]),
    st.integers(1, 2),
    st.booleans(),
)
def test_airflow_hears_only_of_what_it_waits_for(
    seen: Outcome | None,
    state: str | None,
    external_id: str | None,
    queued_by: int | None,
    try_number: int,
    is_current: bool,
) -> None:
    row = a_row(state=state, external_id=external_id, queued_by=queued_by, try_number=try_number)

    decided = verdict(row, known(seen, is_current=is_current), TERMS, NOW)

    if isinstance(decided, Report | Restart | TimeOut | Tell | Write):
        assert state in ("queued", "running")
        assert external_id in (OURS, REPLACED)
        assert queued_by in (None, 7)
        assert (try_number, is_current) == (1, True)
    if isinstance(decided, Restart | Write | TimeOut):
        assert state == "queued"

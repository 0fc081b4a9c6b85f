from collections.abc import Callable

import pytest
from pydantic import ValidationError

from batchtask_local.batch.faults import ErrorFault, FaultGate, Faults, ReplyFault

OPERATIONS = {"SubmitJob", "DescribeJobs"}


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def gate(faults: Faults, time: Callable[[], float] | None = None) -> FaultGate:
    return FaultGate(faults, OPERATIONS, time or Time())


def served(made: FaultGate, calls: int) -> int:
    return sum(made.refusal() is None for _ in range(calls))


def test_without_faults_nothing_befalls_a_call() -> None:
    made = gate(Faults())

    assert made.refusal() is None
    assert made.error("SubmitJob", "job") is None
    assert made.spoiled_reply("SubmitJob", "job") is None
    assert made.latency_seconds() == 0


def test_so_many_calls_a_second_are_served() -> None:
    time = Time()
    made = gate(Faults(throttle=5), time)

    counts = []
    for _ in range(3):
        counts.append(served(made, 100))
        time.seconds += 1

    assert counts == [5, 5, 5]


def test_a_neighbor_takes_its_share() -> None:
    assert served(gate(Faults(throttle=50, neighbor=30)), 100) == 20


def test_a_throttled_call_can_be_told_when_to_come_back() -> None:
    made = gate(Faults(throttle=1, retry_after=2.5))
    served(made, 1)

    refusal = made.refusal()

    assert refusal is not None
    assert (refusal.code, refusal.status) == ("TooManyRequestsException", 429)
    assert refusal.headers == {"Retry-After": "2.5"}


def test_expired_credentials_are_refused() -> None:
    refusal = gate(Faults(expired=True)).refusal()

    assert refusal is not None
    assert (refusal.code, refusal.status) == ("ExpiredTokenException", 403)


def test_an_error_befalls_so_many_calls_of_its_operation() -> None:
    fault = ErrorFault(operation="SubmitJob", code="Oops", status=503, times=2)
    made = gate(Faults(errors=(fault,)))

    assert made.error("DescribeJobs", None) is None
    codes = [error and error.code for error in (made.error("SubmitJob", "x") for _ in range(3))]
    assert codes == ["Oops", "Oops", None]


def test_a_fault_can_choose_jobs_by_name() -> None:
    fault = ReplyFault(outcome="drop", job_name="bad-*", times=1)
    made = gate(Faults(replies=(fault,)))

    assert made.spoiled_reply("SubmitJob", "good-1") is None
    assert made.spoiled_reply("SubmitJob", "bad-1") is fault
    assert made.spoiled_reply("SubmitJob", "bad-2") is None


def test_two_equal_faults_count_by_themselves() -> None:
    fault = ErrorFault(times=1)
    made = gate(Faults(errors=(fault, fault)))

    assert [made.error("SubmitJob", "x") is None for _ in range(3)] == [False, False, True]


def test_the_same_seed_gives_the_same_jitter() -> None:
    faults = Faults(latency=1, jitter=0.5, seed=7)
    first, second = gate(faults), gate(faults)

    spans = [first.latency_seconds() for _ in range(5)]

    assert spans == [second.latency_seconds() for _ in range(5)]
    assert all(1 <= span <= 1.5 for span in spans)
    assert len(set(spans)) == 5


def test_an_operation_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no operation 'SubmitJobs'"):
        gate(Faults(errors=(ErrorFault(operation="SubmitJobs"),)))


@pytest.mark.parametrize(
    "settings",
    [
        {"throttle": 0},
        {"throttle": 5, "neighbor": 5},
        {"latency": -1},
        {"unknown": 1},
        {"errors": [{"status": 200}]},
        {"replies": [{"outcome": "explode"}]},
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Faults.model_validate(settings)

"""How two sides' outcomes are compared."""

import pytest

from matrix.outcomes import End, Instance, Outcome, differences, only_local_fell

ONE = Instance("dag", 0, "task", -1)
RUN = {("dag", 0): "success"}


def an_outcome(state: str = "success", tries: int = 1, of: Instance = ONE) -> Outcome:
    return Outcome(RUN, {of: End(state, tries)})


def test_equal_outcomes_do_not_differ() -> None:
    assert differences(an_outcome(), an_outcome()) == []


@pytest.mark.parametrize(
    ("batchtask", "said"),
    [
        (an_outcome(state="failed"), "failed after 1 tries on BatchTaskExecutor"),
        (an_outcome(tries=2), "success after 2 tries on BatchTaskExecutor"),
        (Outcome(RUN), "nothing on BatchTaskExecutor"),
    ],
)
def test_another_end_of_a_task_is_a_difference(batchtask: Outcome, said: str) -> None:
    (difference,) = differences(an_outcome(), batchtask)

    assert difference == f"dag, run 0: task: success after 1 tries on LocalExecutor, {said}"


def test_another_end_of_a_run_is_a_difference() -> None:
    local = Outcome(RUN)

    assert differences(local, Outcome({("dag", 0): "failed"})) == [
        "dag, run 0: success on LocalExecutor, failed on BatchTaskExecutor"
    ]


def test_a_mapped_task_is_compared_by_its_index() -> None:
    mapped = Instance("dag", 0, "task", 1)

    said = differences(an_outcome(), an_outcome(of=mapped))

    assert said == [
        "dag, run 0: task: success after 1 tries on LocalExecutor, nothing on BatchTaskExecutor",
        "dag, run 0: task[1]: nothing on LocalExecutor, success after 1 tries on BatchTaskExecutor",
    ]


def test_a_state_that_was_never_set_is_none() -> None:
    assert End.of({"state": None, "try_number": 0}) == End("none", 0)


@pytest.mark.parametrize(
    ("local", "batchtask", "expected"),
    [
        ({}, {}, False),
        ({("a", 0): "failed"}, {("a", 0): "failed"}, False),
        ({("a", 0): "failed"}, {("a", 0): "success"}, True),
        ({("a", 0): "success"}, {("a", 0): "failed"}, False),
        ({("a", 0): "failed", ("b", 0): "success"}, {("a", 0): "success"}, False),
    ],
)
def test_what_fell_on_local_executor_alone_is_told(
    local: dict[tuple[str, int], str], batchtask: dict[tuple[str, int], str], expected: bool
) -> None:
    assert only_local_fell(Outcome(local), Outcome(batchtask)) is expected

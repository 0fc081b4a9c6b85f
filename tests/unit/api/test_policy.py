"""What a namespace may name: whatever is allowed is what an entry means, however it is written."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from batchtask_api.policy import Allowed, allows_definition, allows_queue, misplaced, refusal

EAST = "arn:aws:batch:us-east-1:111122223333"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
REGIONS = st.sampled_from(["us-east-1", "eu-west-1", "us-gov-west-1"])
REVISIONS = st.integers(1, 999)
KINDS = st.sampled_from(["job-queue", "job-definition"])


@st.composite
def arns(draw: st.DrawFn, kind: str) -> str:
    return f"arn:aws:batch:{draw(REGIONS)}:{draw(ACCOUNTS)}:{kind}/{draw(NAMES)}"


QUEUES = NAMES | arns("job-queue")
DEFINITIONS = st.tuples(NAMES | arns("job-definition"), st.none() | REVISIONS).map(
    lambda parts: parts[0] if parts[1] is None else f"{parts[0]}:{parts[1]}"
)
NOISE = st.sampled_from([" ", "\n", "\t", "\u200b", ":", "/", "*", "$", "\x00", "\u0661"])


def meanings(reference: str) -> set[str]:
    """The queue or definition that AWS would take it for, seen from its own account."""
    return {reference, reference.rpartition("/")[2]}


@given(st.lists(QUEUES, max_size=4), QUEUES)
def test_an_allowed_queue_is_an_entry_or_an_entrys_name(entries: list[str], named: str) -> None:
    is_meant = any(named in meanings(entry) for entry in entries)

    assert allows_queue(entries, named) is is_meant


@given(st.lists(DEFINITIONS, max_size=4), DEFINITIONS)
def test_an_allowed_definition_is_an_entry_or_a_revision_of_one(
    entries: list[str], named: str
) -> None:
    without_revision = re.sub(r":\d+$", "", named)
    is_meant = any({named, without_revision} & meanings(entry) for entry in entries)

    assert allows_definition(entries, named) is is_meant


@given(QUEUES, st.data())
def test_no_noise_gets_a_queue_past_the_list(entry: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entry)))
    noisy = entry[:at] + data.draw(NOISE) + entry[at:]

    assert not allows_queue([entry], noisy)


@given(DEFINITIONS, st.data())
def test_no_noise_gets_a_definition_past_the_list(entry: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entry)))
    noisy = entry[:at] + data.draw(NOISE) + entry[at:]
    assume(not noisy.startswith(f"{entry}:") or not noisy[len(entry) + 1 :].isdecimal())

    assert not allows_definition([entry], noisy)


@given(QUEUES)
def test_a_case_apart_is_another_queue(entry: str) -> None:
    assume(entry.swapcase() != entry)

    assert not allows_queue([entry], entry.swapcase())


@given(arns("job-queue"), ACCOUNTS)
def test_another_accounts_arn_is_never_allowed(arn: str, account: str) -> None:
    parts = arn.split(":")
    assume(parts[4] != account)
    others = ":".join([*parts[:4], account, *parts[5:]])

    assert not allows_queue([arn, parts[5].partition("/")[2]], others)


@given(st.text() | st.none() | st.integers() | st.lists(st.text()), KINDS)
def test_anything_at_all_is_judged(named: object, kind: str) -> None:
    entries = ["worker", f"{EAST}:{kind}/worker"]

    said = refusal(
        {"ns": Allowed(job_queues=tuple(entries) if kind == "job-queue" else ())},
        "ns",
        {"jobQueue": named, "jobDefinition": named},
    )

    assert said is not None


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("jobQueues", "two words"),
        ("jobQueues", ""),
        ("jobQueues", "team-*"),
        ("jobQueues", f"{EAST}:job-definition/worker"),
        ("jobQueues", "queue:1"),
        ("jobDefinitions", "worker:0"),
        ("jobDefinitions", "worker:latest"),
        ("jobDefinitions", f"{EAST}:job-queue/worker"),
        ("jobDefinitions", "arn:aws:batch:us-east-1:1:job-definition/worker"),
        ("eksNamespaces", "Team"),
    ],
)
def test_an_entry_that_could_never_match_is_refused(field: str, entry: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(repr(entry))):
        Allowed.model_validate({field: [entry]})


def test_a_misspelt_list_is_refused() -> None:
    with pytest.raises(ValidationError, match="jobQueue\n"):
        Allowed.model_validate({"jobQueue": ["analytics"]})


def test_arns_of_another_place_are_told() -> None:
    here, there = f"{EAST}:job-queue/etl", "arn:aws:batch:eu-west-1:111122223333:job-queue/etl"
    allowed = Allowed(job_queues=("etl", here, there), job_definitions=("worker:1",))

    assert misplaced(allowed, "111122223333", "us-east-1") == [there]
    assert misplaced(allowed, None, "us-east-1") == [there]
    assert misplaced(allowed, "999999999999", "us-east-1") == [here, there]

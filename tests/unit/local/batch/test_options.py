import argparse
import json
from pathlib import Path

import pytest

from batchtask_local.batch import options
from batchtask_local.batch.faults import ErrorFault, Faults, ReplyFault
from batchtask_local.batch.service import Queue


def test_a_queue_has_a_name_vcpus_and_perhaps_a_priority() -> None:
    assert options.queue("analytics:8") == Queue("analytics", 8, 1)
    assert options.queue("small:1:5") == Queue("small", 1, 5)


@pytest.mark.parametrize("text", ["analytics", ":8", "analytics:many", "a:1:2:3", "a:-1"])
def test_what_is_not_a_queue_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="NAME:VCPUS"):
        options.queue(text)


def test_a_variable_may_hold_equals_signs() -> None:
    assert options.variable("A=b=c") == ("A", "b=c")


@pytest.mark.parametrize("text", ["A", "=b"])
def test_what_is_not_a_variable_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="KEY=VALUE"):
        options.variable(text)


def test_a_file_holds_one_definition_or_a_list(tmp_path: Path) -> None:
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    one.write_text(json.dumps({"jobDefinitionName": "a"}))
    many.write_text(json.dumps([{"jobDefinitionName": "a"}, {"jobDefinitionName": "b"}]))

    assert len(options.job_definitions(str(one))) == 1
    assert len(options.job_definitions(str(many))) == 2


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_a_file_without_definitions_is_refused_by_its_name(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "definitions.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(argparse.ArgumentTypeError, match=r"definitions\.json"):
        options.job_definitions(str(path))


def test_words_become_faults() -> None:
    words = [
        "throttle=50",
        "latency=0.2",
        "expired=true",
        "denied_queues=a,b",
        "error=SubmitJob:ServerException:503:2",
        "reply=delay:SubmitJob:1:30",
        "reply=drop",
    ]

    assert options.faults(words, Faults()) == Faults(
        throttle=50,
        latency=0.2,
        expired=True,
        denied_queues=frozenset({"a", "b"}),
        errors=(ErrorFault(operation="SubmitJob", status=503, times=2),),
        replies=(
            ReplyFault(outcome="delay", times=1, seconds=30),
            ReplyFault(outcome="drop"),
        ),
    )


def test_words_change_only_what_they_name() -> None:
    current = Faults(throttle=50, latency=1)

    assert options.faults(["throttle=none"], current) == Faults(latency=1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("throttle", "'throttle' isn't KEY=VALUE"),
        ("throttle=fast", "throttle: "),
        ("speed=1", "speed: "),
        ("error=SubmitJob:Oops:200", "status: "),
        ("reply=explode", "outcome: "),
        ("reply=drop:SubmitJob:1:2:3", "more parts"),
    ],
)
def test_a_wrong_word_is_named(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options.faults([word], Faults())

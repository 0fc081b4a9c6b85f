"""The policies of aws/iam, filled in."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from integration.iam.evaluator import Statement, many

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "aws" / "iam"
ROLE = "arn:aws:iam::222222222222:role/batchtask"
VALUES = {
    "partition": "aws",
    "region": "us-east-1",
    "account": "123456789012",
    "job_queue": "one",
    "job_definition": "worker",
    "log_group": "/aws/batch/job",
    "role_arn": ROLE,
}


def text(name: str) -> str:
    """A policy as its file has it."""
    return (FOLDER / f"{name}.json").read_text("utf-8")


def filled(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """A policy with every placeholder filled in."""
    document: dict[str, Any] = json.loads(Template(text(name)).substitute(values))
    return document


def less(statements: list[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """The same without one part, for each: a statement, one of its actions, one of its ARNs."""
    for index, statement in enumerate(statements):
        before, after = statements[:index], statements[index + 1 :]
        yield statement["Sid"], [*before, *after]
        for key in ("Action", "Resource"):
            values = many(statement[key])
            for value in values if len(values) > 1 else ():
                rest = {**statement, key: [each for each in values if each != value]}
                yield f"{statement['Sid']} {value}", [*before, rest, *after]


def laxer(statements: list[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """The same without one condition, for each."""
    for index, statement in enumerate(statements):
        conditions = statement.get("Condition", {})
        for operator in conditions:
            rest = {key: value for key, value in conditions.items() if key != operator}
            loose = {**statement, "Condition": rest}
            found = [*statements[:index], loose, *statements[index + 1 :]]
            yield f"{statement['Sid']} {operator}", found

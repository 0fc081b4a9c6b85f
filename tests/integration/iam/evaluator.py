"""A small evaluator of IAM policies: as much of IAM as the files in aws/iam use.

What else there was: moto's evaluator (`moto.iam.access_control`) takes an Allow whose condition is
not met for a Deny; parliament and policy_sentry lint and write policies and evaluate none; iam-ape
evaluates no request; @cloud-copilot/iam-simulate does all of it, in TypeScript.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchtask_local.batch.iam import Access

Statement = Mapping[str, Any]
Context = Mapping[str, str | Sequence[str]]


def allows(statements: Sequence[Statement], access: Access) -> bool:
    """Whether the statements allow the action on each of its resources."""
    assert {each["Effect"] for each in statements} <= {"Allow"}
    return all(
        any(_matches(statement, access, resource) for statement in statements)
        for resource in access.resources
    )


def many(value: Any) -> list[Any]:
    """IAM takes one in place of a list of one."""
    return value if isinstance(value, list) else [value]


def _matches(statement: Statement, access: Access, resource: str) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert not unknown, f"the evaluator knows no {unknown}"
    return (
        any(_like(action, access.action, re.IGNORECASE) for action in many(statement["Action"]))
        and any(_like(pattern, resource) for pattern in many(statement["Resource"]))
        and all(
            _holds(operator, many(values), _context(access).get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _like(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    """`*` is anything, `?` one character; unlike a file's, they match `/` and `:` too."""
    wild = {"*": ".*", "?": "."}
    written = "".join(wild.get(each, re.escape(each)) for each in pattern)
    return re.fullmatch(written, text, flags | re.DOTALL) is not None


def _context(access: Access) -> Context:
    return {
        **{f"aws:RequestTag/{key}": value for key, value in access.request_tags.items()},
        **{f"aws:ResourceTag/{key}": value for key, value in access.resource_tags.items()},
        "aws:TagKeys": list(access.request_tags),
    }


def _holds(operator: str, allowed: Sequence[str], found: str | Sequence[str] | None) -> bool:
    match operator:
        case "StringEquals":
            return found in allowed
        case "ForAllValues:StringEquals":
            return set(found or ()) <= set(allowed)
        case _:
            raise AssertionError(f"the evaluator knows no {operator}")

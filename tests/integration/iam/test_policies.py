"""Each policy of aws/iam allows what its feature does, and nothing in it is of no use."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from batchtask_local.batch import Entry
from batchtask_local.batch.iam import Access
from integration.iam.documents import VALUES, filled, laxer, less
from integration.iam.evaluator import Statement, allows

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

POLICY_OF = {
    "SubmitJob": "controller",
    "DescribeJobs": "controller",
    "ListJobs": "controller",
    "TerminateJob": "controller",
    "TagResource": "controller",
    "GetJobQueueSnapshot": "queue-position",
    "GetLogEvents": "log-tail",
    "AssumeRole": "assume-account",
}
"""The feature that each call is of."""
POLICIES = sorted(set(POLICY_OF.values()))
ONLY_AWS_PROVES = {"PassOnPodIdentitysTags"}
"""Statements that local Batch has no call for; aws/iam/README.md says why they are there."""

ARN = "arn:aws:batch:us-east-1:123456789012"
JOB = f"{ARN}:job/2f6f2b0e-0000-4000-8000-000000000000"
CLUSTER = "batchtask.dev/cluster"


@pytest.fixture
def values(cluster_uid: str) -> dict[str, str]:
    return {**VALUES, "cluster_uid": cluster_uid}


def statements(name: str, values: dict[str, str]) -> list[Statement]:
    return list(filled(name, values)["Statement"])


def accesses(journal: Sequence[Entry], policy: str) -> list[Access]:
    """What IAM is asked for a policy's feature."""
    return [
        access for entry in journal if POLICY_OF[entry.operation] == policy for access in entry.iam
    ]


def test_the_run_has_every_call_that_the_controller_makes(journal: Sequence[Entry]) -> None:
    assert {entry.operation for entry in journal} == POLICY_OF.keys()
    assert all(entry.iam for entry in journal)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_call_is_allowed(
    journal: Sequence[Entry], values: dict[str, str], policy: str
) -> None:
    granted = statements(policy, values)

    denied = [each for each in accesses(journal, policy) if not allows(granted, each)]

    assert denied == []


@pytest.mark.parametrize("policy", POLICIES)
def test_without_any_part_some_call_is_denied(
    journal: Sequence[Entry], values: dict[str, str], policy: str
) -> None:
    asked = accesses(journal, policy)

    useless = {
        part
        for part, rest in less(statements(policy, values))
        if all(allows(rest, access) for access in asked)
    }

    assert useless == (ONLY_AWS_PROVES if policy == "assume-account" else set())


def test_the_api_server_may_read_the_same_logs(
    journal: Sequence[Entry], values: dict[str, str]
) -> None:
    granted = statements("api-server-logs", values)

    asked = accesses(journal, "log-tail")

    assert all(allows(granted, access) for access in asked)
    assert not any(allows([], access) for access in asked)


def forbidden(uid: str) -> dict[str, Access]:
    """What the controller's role must not do."""
    ours, others = {CLUSTER: uid}, {CLUSTER: "another-cluster"}
    submit = Access(
        "batch:SubmitJob",
        [f"{ARN}:job-queue/one", f"{ARN}:job-definition/worker", f"{ARN}:job/*"],
        request_tags=ours,
    )
    queue, definition, job = submit.resources
    log = "arn:aws:logs:us-east-1:123456789012:log-group"
    return {
        "another queue": replace(submit, resources=[f"{ARN}:job-queue/two", definition, job]),
        "another definition": replace(submit, resources=[queue, f"{definition}-admin", job]),
        "end another cluster's job": Access("batch:TerminateJob", [JOB], resource_tags=others),
        "end a job that has no tags": Access("batch:TerminateJob", [JOB]),
        "tag without the cluster": Access("batch:TagResource", [f"{ARN}:job/*"]),
        "tag as another cluster's": Access("batch:TagResource", [f"{ARN}:job/*"], others),
        "tag a queue": Access("batch:TagResource", [queue], ours, ours),
        "retain another's job": Access(
            "batch:TagResource", [JOB], {"batchtask.dev/retained": "true"}, others
        ),
        "tag an own job otherwise": Access("batch:TagResource", [JOB], {"team": "x"}, ours),
        "register a definition": Access("batch:RegisterJobDefinition", [definition]),
        "another queue's front": Access("batch:GetJobQueueSnapshot", [f"{ARN}:job-queue/two"]),
        "another log": Access("logs:GetLogEvents", [f"{log}:/airflow:log-stream:x"]),
        "another role": Access("sts:AssumeRole", ["arn:aws:iam::222222222222:role/admin"]),
    }


def test_nothing_else_is_allowed(values: dict[str, str]) -> None:
    granted = [each for policy in POLICIES for each in statements(policy, values)]

    allowed = {
        what for what, each in forbidden(values["cluster_uid"]).items() if allows(granted, each)
    }

    assert allowed == set()


def test_without_any_condition_something_else_is_allowed(values: dict[str, str]) -> None:
    never = forbidden(values["cluster_uid"]).values()

    useless = {
        condition
        for condition, loose in laxer(statements("controller", values))
        if not any(allows(loose, access) for access in never)
    }

    assert useless == set()

"""What IAM is asked about a call: actions, the ARNs that they are on, and the tags it goes by.

It follows AWS's service authorization reference. AWS itself evaluates it; here it is only recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from batchtask_local.batch.arns import Arns, name_of
from batchtask_local.batch.model import Document
from batchtask_local.batch.tags import Tags

ANYTHING = "*"
"""The resource of an action that AWS limits to none."""


@dataclass(frozen=True, slots=True)
class Access:
    """One question to IAM: whether the caller may do this on each of these."""

    action: str
    resources: Sequence[str]
    request_tags: Mapping[str, str] = field(default_factory=dict)
    """aws:RequestTag: what the call would set."""
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    """aws:ResourceTag: what the one resource carries."""


def accesses(operation: str, request: Document, arns: Arns, tags: Tags) -> Sequence[Access]:
    """Return what IAM is asked, for every operation that this project calls; for others nothing."""
    asked = _ASKED.get(operation)
    return () if asked is None else asked(request, arns, tags)


def _submit(request: Document, arns: Arns, _: Tags) -> Sequence[Access]:
    new_tags = request.get("tags", {})
    on = [
        _full(request["jobQueue"], arns.queue),
        _full(request["jobDefinition"], arns.definition_named),
        arns.job(ANYTHING),  # it has no id yet
    ]
    submits = Access("batch:SubmitJob", on, request_tags=new_tags)
    if not new_tags:
        return [submits]
    return [submits, Access("batch:TagResource", [arns.job(ANYTHING)], request_tags=new_tags)]


def _terminate(request: Document, arns: Arns, tags: Tags) -> Sequence[Access]:
    arn = arns.job(request["jobId"])
    return [Access("batch:TerminateJob", [arn], resource_tags=tags.of(arn))]


def _tag(request: Document, _: Arns, tags: Tags) -> Sequence[Access]:
    arn = request["resourceArn"]
    old, new = tags.of(arn), request["tags"]
    return [Access("batch:TagResource", [arn], request_tags=new, resource_tags=old)]


def _snapshot(request: Document, arns: Arns, tags: Tags) -> Sequence[Access]:
    arn = _full(request["jobQueue"], arns.queue)
    return [Access("batch:GetJobQueueSnapshot", [arn], resource_tags=tags.of(arn))]


def _log_events(request: Document, arns: Arns, _: Tags) -> Sequence[Access]:
    arn = arns.log_stream(request["logGroupName"], request["logStreamName"])
    return [Access("logs:GetLogEvents", [arn])]


def _on_anything(action: str) -> Callable[[Document, Arns, Tags], Sequence[Access]]:
    return lambda _request, _arns, _tags: [Access(action, [ANYTHING])]


def _full(reference: str, arn: Callable[[str], str]) -> str:
    return reference if reference.startswith("arn:") else arn(name_of(reference))


_ASKED: Mapping[str, Callable[[Document, Arns, Tags], Sequence[Access]]] = {
    "SubmitJob": _submit,
    "DescribeJobs": _on_anything("batch:DescribeJobs"),
    "ListJobs": _on_anything("batch:ListJobs"),
    "TerminateJob": _terminate,
    "TagResource": _tag,
    "GetJobQueueSnapshot": _snapshot,
    "GetLogEvents": _log_events,
}

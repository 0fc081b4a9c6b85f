"""ListJobs: which jobs it finds, and on which page."""

import re

from batchtask_local.batch import views
from batchtask_local.batch.arns import Arns
from batchtask_local.batch.errors import refused
from batchtask_local.batch.model import Document, Status
from batchtask_local.batch.paging import token_value
from batchtask_local.batch.places import Places
from batchtask_local.batch.store import JobStore

JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:\d{1,4})?")
MAX_RESULTS = 1000
MAX_FILTERED = 100
_GROUPS = ("jobQueue", "arrayJobId", "multiNodeJobId")
_NO_NUMBER = 1 << 62


def group(request: Document, places: Places) -> str:
    """Return what a request lists: a queue's ARN or an array's id.

    Raises:
        ApiError: it names none of them, or more than one, or a queue that isn't there.
    """
    given = [member for member in _GROUPS if request.get(member)]
    if len(given) != 1:
        raise refused(f"Exactly one of {', '.join(_GROUPS)} must be provided")
    if given[0] == "jobQueue":
        return places.queue(request["jobQueue"]).arn
    reference: str = request[given[0]]
    return reference


def page(request: Document, group: str, store: JobStore, arns: Arns, now: int) -> Document:
    """Answer ListJobs for a group: newest first, at most 1,000 jobs, with a filter 100.

    Raises:
        ApiError: a status, filter, number or token isn't right.
    """
    filters = request.get("filters", ()) if "arrayJobId" not in request else ()
    numbers = _filtered(filters, group, store) if filters else _by_status(request, group, store)
    most = MAX_FILTERED if filters else MAX_RESULTS
    size = request.get("maxResults", most)
    if size < 1:
        raise refused("maxResults must be at least 1")
    before = token_value(request.get("nextToken"), default=_NO_NUMBER)
    found = store.page(numbers, before, min(size, most), now)
    summaries = [views.job_summary(job, arns, is_filtered=bool(filters)) for job in found.jobs]
    token = {} if found.before is None else {"nextToken": str(found.before)}
    return {"jobSummaryList": summaries, **token}


def _by_status(request: Document, group: str, store: JobStore) -> list[int]:
    status = request.get("jobStatus", Status.RUNNING)
    if status not in set(Status):
        raise refused(f"Job status is not one of {' | '.join(Status)}")
    return store.with_status(group, Status(status))


def _filtered(filters: list[Document], group: str, store: JobStore) -> list[int]:
    if len(filters) != 1:
        raise refused("Only one filter can be used at a time")
    name, values = filters[0].get("name"), filters[0].get("values", [])
    if not values:
        raise refused(f"Filter {name} needs a value")
    match name:
        case "JOB_NAME":
            return sorted({number for value in values for number in store.named(group, value)})
        case "JOB_DEFINITION":
            found = (store.defined_by(group, value) for value in values)
            return sorted({number for numbers in found for number in numbers})
        case "BEFORE_CREATED_AT":
            return store.created(group, before=_milliseconds(values[0]))
        case "AFTER_CREATED_AT":
            return store.created(group, after=_milliseconds(values[0]))
        case _:
            raise refused(f"local Batch doesn't know filter {name}")


def _milliseconds(value: str) -> int:
    if not value.isdecimal():
        raise refused(f"A time must be in milliseconds since 1970, not {value!r}")
    return int(value)

"""The operations that local Batch serves, each from a validated request to a reply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchtask_local.batch import limits, listing, views
from batchtask_local.batch.arns import Arns
from batchtask_local.batch.definitions import Definitions
from batchtask_local.batch.engine import Engine
from batchtask_local.batch.errors import refused
from batchtask_local.batch.logs import LogStore
from batchtask_local.batch.model import Document
from batchtask_local.batch.places import Places
from batchtask_local.batch.store import JobStore
from batchtask_local.batch.submission import specify
from batchtask_local.batch.tags import Tags

MAX_DESCRIBED = 100
MAX_BULK = 50
SNAPSHOT_SIZE = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A validated request."""

    request: Document
    body_bytes: int


Handler = Callable[[Call], Document]


@dataclass(frozen=True, slots=True)
class World:
    """All that local Batch holds."""

    arns: Arns
    tags: Tags
    places: Places
    definitions: Definitions
    store: JobStore
    engine: Engine
    logs: LogStore
    now: Callable[[], int]
    visibility_lag: Callable[[], float]


def handlers(world: World) -> Mapping[str, Handler]:
    """Return who answers each operation, by its name."""
    jobs, resources = _Jobs(world), _Resources(world)
    definitions = world.definitions
    return {
        "SubmitJob": jobs.submit,
        "DescribeJobs": jobs.describe,
        "ListJobs": jobs.list,
        "TerminateJob": jobs.terminate,
        "TerminateJobs": jobs.terminate_many,
        "CancelJob": jobs.cancel,
        "CancelJobs": jobs.cancel_many,
        "GetJobQueueSnapshot": jobs.snapshot,
        "CreateComputeEnvironment": _of_request(world.places.create_environment),
        "DescribeComputeEnvironments": _of_request(world.places.describe_environments),
        "UpdateComputeEnvironment": resources.update_environment,
        "DeleteComputeEnvironment": _of_request(world.places.delete_environment),
        "CreateJobQueue": _of_request(world.places.create_queue),
        "DescribeJobQueues": _of_request(world.places.describe_queues),
        "UpdateJobQueue": resources.update_queue,
        "DeleteJobQueue": resources.delete_queue,
        "RegisterJobDefinition": resources.register,
        "DescribeJobDefinitions": _of_request(definitions.describe),
        "DeregisterJobDefinition": _of_request(definitions.deregister),
        "TagResource": resources.tag,
        "UntagResource": resources.untag,
        "ListTagsForResource": resources.list_tags,
        "GetLogEvents": _of_request(world.logs.get_log_events),
    }


def _of_request(answer: Callable[[Document], Document]) -> Handler:
    return lambda call: answer(call.request)


@dataclass(frozen=True, slots=True)
class _Jobs:
    world: World

    def submit(self, call: Call) -> Document:
        world, request = self.world, call.request
        limits.check_size("Job", call.body_bytes, limits.MAX_SUBMIT_BYTES)
        queue = world.places.queue(request["jobQueue"])
        definition = world.definitions.find(request["jobDefinition"])
        spec = specify(request, queue, definition, world.tags.of(definition.arn))
        for dependency in spec.depends_on:
            if dependency.job_id is not None and world.store.get(dependency.job_id) is None:
                raise refused(f"Job {dependency.job_id} of dependsOn not found")
        job = world.engine.submit(spec, world.visibility_lag())
        arn = world.arns.job(job.id)
        world.tags.add(arn, request.get("tags", {}))
        return {"jobArn": arn, "jobName": spec.name, "jobId": job.id}

    def describe(self, call: Call) -> Document:
        world, now = self.world, self.world.now()
        ids = call.request["jobs"]
        if len(ids) > MAX_DESCRIBED:
            # The two spaces and the one before the full stop are AWS's.
            raise refused(f"Maximum number of jobs supported is  {MAX_DESCRIBED} .")
        jobs = [world.store.get(job_id) for job_id in dict.fromkeys(ids)]
        details = [
            views.job_detail(job, world.arns, world.tags.of(world.arns.job(job.id)))
            for job in jobs
            if job is not None and job.is_visible(now)
        ]
        return {"jobs": details}

    def list(self, call: Call) -> Document:
        world, request = self.world, call.request
        group = listing.group(request, world.places)
        return listing.page(request, group, world.store, world.arns, world.now())

    def terminate(self, call: Call) -> Document:
        limits.check_reason(call.request["reason"])
        self.world.engine.terminate(call.request["jobId"], call.request["reason"])
        return {}

    def terminate_many(self, call: Call) -> Document:
        return self._each(call, self.world.engine.terminate)

    def cancel(self, call: Call) -> Document:
        limits.check_reason(call.request["reason"])
        self.world.engine.cancel(call.request["jobId"], call.request["reason"])
        return {}

    def cancel_many(self, call: Call) -> Document:
        return self._each(call, self.world.engine.cancel)

    def _each(self, call: Call, end: Callable[[str, str], None]) -> Document:
        """Do a bulk operation: what is malformed gets an error of its own."""
        ids, reason = call.request["jobs"], call.request["reason"]
        limits.check_reason(reason)
        if not 1 <= len(ids) <= MAX_BULK:
            raise refused(f"jobs must have 1 to {MAX_BULK} job ids, not {len(ids)}")
        malformed = [job_id for job_id in ids if not listing.JOB_ID.fullmatch(job_id)]
        successful = [job_id for job_id in ids if job_id not in malformed]
        for job_id in successful:
            end(job_id, reason)
        errors = [
            {"job": job_id, "code": "ValidationException", "message": "The job id is malformed"}
            for job_id in malformed
        ]
        return {"successful": successful, "errors": errors}

    def snapshot(self, call: Call) -> Document:
        world = self.world
        queue, now = world.places.queue(call.request["jobQueue"]), world.now()
        jobs = [
            {"jobArn": world.arns.job(job.id), "earliestTimeAtPosition": job.created_at}
            for job in world.engine.waiting(queue, SNAPSHOT_SIZE)
        ]
        used = world.engine.used_by_share(queue)
        capacity = [_vcpus(sum(used.values()))]
        utilization: Document = {"totalCapacityUsage": capacity, "lastUpdatedAt": now}
        if queue.is_fair_share:
            shares = [
                {"shareIdentifier": share, "capacityUsage": [_vcpus(count)]}
                for share, count in used.items()
            ]
            fair = {"activeShareCount": len(shares), "topCapacityUtilization": shares}
            utilization = {**utilization, "fairshareUtilization": fair}
        return {
            "frontOfQueue": {"jobs": jobs, "lastUpdatedAt": now},
            "queueUtilization": utilization,
        }


@dataclass(frozen=True, slots=True)
class _Resources:
    world: World

    def update_environment(self, call: Call) -> Document:
        reply = self.world.places.update_environment(call.request)
        self.world.engine.dispatch()
        return reply

    def update_queue(self, call: Call) -> Document:
        reply = self.world.places.update_queue(call.request)
        self.world.engine.dispatch()
        return reply

    def delete_queue(self, call: Call) -> Document:
        queue = self.world.places.delete_queue(call.request)
        if queue is not None:
            for job in self.world.store.of_queue(queue.arn):
                self.world.engine.terminate(job.id, "Job queue deleted")
        return {}

    def register(self, call: Call) -> Document:
        limits.check_size("Job definition", call.body_bytes, limits.MAX_REGISTER_BYTES)
        return self.world.definitions.register(call.request)

    def tag(self, call: Call) -> Document:
        self.world.tags.add(call.request["resourceArn"], call.request["tags"])
        return {}

    def untag(self, call: Call) -> Document:
        self.world.tags.remove(call.request["resourceArn"], call.request["tagKeys"])
        return {}

    def list_tags(self, call: Call) -> Document:
        return {"tags": self.world.tags.of(call.request["resourceArn"])}


def _vcpus(millivcpus: int) -> Document:
    return {"capacityUnit": "VCPU", "quantity": millivcpus / 1000}

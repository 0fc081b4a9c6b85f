"""What the scheduler sees of the executor, over a stand-in for the cluster."""

import json
import uuid
from typing import Any

import jwt
import pytest

from batchtask_api import Phase, names
from batchtask_executor.cluster.manifest import task_name
from batchtask_executor.cluster.tasks import Forbidden, NotInstalled, Refused, Unavailable
from fakes.awaiting import until
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def row_of(workload: Any) -> Any:
    """The task instance as the scheduler hands it over, as far as the executor may look at it."""
    return workload.ti


def written(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> Any:
    """A workload that has been queued and written, with the scheduler's word on it."""
    workload = executor.queue(**of)
    executor.loop_until(lambda: name_of(workload) in cluster.secrets)
    executor.loop_until(lambda: "batchtask created" in [event for _, event, _ in executor.logged])
    return workload


def test_a_workload_becomes_a_task_named_by_its_external_id(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(
        executor,
        cluster,
        map_index=3,
        try_number=2,
        priority_weight=9,
        executor_config={"container_overrides": {"environment": [{"name": "A", "value": "1"}]}},
    )

    task = cluster.objects[name_of(workload)]
    assert task.spec.job == {
        "jobQueue": "analytics",
        "jobDefinition": "worker:7",
        "containerOverrides": {"environment": [{"name": "A", "value": "1"}]},
    }
    assert task.spec.airflow is not None
    assert task.spec.airflow.to_json() == {
        "dagId": "etl",
        "taskId": "load",
        "runId": "scheduled__2026-01-01T00:00:00+00:00",
        "mapIndex": 3,
        "tryNumber": 2,
        "taskInstanceId": str(workload.ti.id),
    }
    assert task.spec.priority == 9
    assert task.has_finalizer
    claims = jwt.decode(workload.token, options={"verify_signature": False})
    assert task.metadata.annotations[names.ANNOTATION_QUEUING] == claims["jti"]


def test_the_jobs_container_is_given_a_token_of_our_own(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)

    content = json.loads(cluster.secrets[name_of(workload)].content.get_secret_value())
    claims = jwt.decode(content["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 86400
    assert (claims["sub"], claims["scope"]) == (str(workload.ti.id), "workload")
    assert content["type"] == "ExecuteTask"


def test_a_heartbeat_with_a_thousand_workloads_makes_no_request(
    configured: pytest.MonkeyPatch,
) -> None:
    cluster = FakeBatchTasks()
    executor = ExecutorOver(cluster, parallelism=5000)
    executor._parts = executor._assemble()  # no thread of it is started: what is asked, we ask
    for number in range(1000):
        executor.queue(task_id=f"t{number}")

    executor.loop()

    assert not cluster.requests
    assert not executor.rows.requests
    assert len(executor.running) == 1000
    assert not executor.queued_tasks


def test_nothing_is_reported_while_the_job_waits_or_runs(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)
    for phase in (Phase.SUBMITTED, Phase.RUNNABLE, Phase.STARTING, Phase.RUNNING):
        cluster.set_status(name_of(workload), phase=phase)

    events = executor.loop_until(lambda: _seen(executor, workload) is Phase.RUNNING)

    assert not events
    assert workload.ti.key in executor.running
    assert executor.has_task(row_of(workload))


def running(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> Any:
    """A workload whose job has started the task in it."""
    workload = written(executor, cluster, **of)
    cluster.set_status(name_of(workload), phase=Phase.RUNNING, job_id="1a2b")
    executor.rows.start(workload.ti)
    return workload


def _seen(executor: ExecutorOver, workload: Any) -> Phase | None:
    assert executor._parts is not None
    task = executor._parts.cache.get(name_of(workload))
    return task.status.phase if task else None


def test_a_job_that_succeeded_is_a_success(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    workload = running(executor, cluster)

    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "success"
    assert "1a2b" in info
    assert not executor.running
    assert executor.slots_available == 5000


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED, Phase.LOST])
def test_any_other_end_is_a_failure_with_awss_reason(
    executor: ExecutorOver, cluster: FakeBatchTasks, phase: Phase
) -> None:
    workload = running(executor, cluster)

    cluster.set_status(
        name_of(workload),
        phase=phase,
        job_id="1a2b",
        status_reason="Host EC2 terminated",
        exit_code=1,
    )

    state, info = executor.loop_until_event(workload.ti.key)
    executor.loop()
    assert state == "failed"
    for word in ("1a2b", "Host EC2 terminated", "exit code 1", str(phase)):
        assert word in info
    assert ("load", "batchtask failed", info) in executor.logged


def test_a_task_deleted_by_hand_fails(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    workload = written(executor, cluster)
    cluster.delete(name_of(workload))
    cluster.release(name_of(workload))

    state, info = executor.loop_until_event(workload.ti.key)

    assert state == "failed"
    assert f"BatchTask airflow-tasks/{name_of(workload)} was deleted before its end" in info


def test_a_task_deleted_after_its_end_has_that_end(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    cluster.delete(name_of(workload))
    cluster.release(name_of(workload))

    state, _ = executor.loop_until_event(workload.ti.key)

    assert state == "success"


def test_a_task_that_no_list_ever_showed_fails(configured: pytest.MonkeyPatch) -> None:
    cluster = FakeBatchTasks(fail_next={"list": [Unavailable("no answer")] * 100_000})
    executor = ExecutorOver(cluster)
    executor.start()
    workload = written(executor, cluster)
    cluster.lose(name_of(workload))

    cluster.fail_next.clear()

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "failed"
    assert "was deleted" in info
    executor.end()


def test_a_word_about_an_earlier_queuing_changes_nothing(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    first = written(executor, cluster)
    second = written(executor, cluster, id=first.ti.id)  # after a deferral: the same key
    assert first.ti.key == second.ti.key

    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    executor.pass_time(60)
    events = executor.loop_until(lambda: len(executor._table) == 1)

    assert not events
    assert second.ti.key in executor.running
    cluster.set_status(name_of(second), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(second.ti.key)[0] == "success"


def test_a_task_queued_again_before_it_was_written_is_written_once(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cluster.down = Unavailable("no answer")
    first = executor.queue()
    executor.loop()
    second = executor.queue(id=first.ti.id)
    executor.loop()

    cluster.down = None

    executor.loop_until(lambda: name_of(second) in cluster.secrets)
    executor.loop_until(lambda: not executor._parts.writer._open)  # type: ignore[union-attr]
    assert list(cluster.objects) == [name_of(second)]


@pytest.mark.parametrize("given", [None, "", "arn:aws:ecs:task/1"])
def test_without_a_usable_external_id_one_is_made_and_reported_once(
    executor: ExecutorOver, cluster: FakeBatchTasks, given: str | None
) -> None:
    workload = executor.queue(external_executor_id=given)

    state, made = executor.loop()[workload.ti.key]

    assert state == "running"
    assert workload.ti.key in executor.running
    claims = jwt.decode(workload.token, options={"verify_signature": False})
    assert made == str(uuid.UUID(claims["jti"]))
    assert not executor.loop_until(lambda: task_name(made) in cluster.secrets)
    cluster.set_status(task_name(made), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(workload.ti.key)[0] == "success"


def test_a_stale_external_id_whose_task_still_runs_is_not_used_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    first = written(executor, cluster)
    stale = first.ti.external_executor_id
    second = executor.queue(id=first.ti.id, external_executor_id=stale)

    state, made = executor.loop()[second.ti.key]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)

    assert state == "running"
    assert made != stale
    assert len(cluster.objects) == 2


def test_a_stale_external_id_whose_task_has_ended_is_found_out_by_the_name(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    first = written(executor, cluster)
    stale = first.ti.external_executor_id
    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    executor.loop_until_event(first.ti.key)

    second = executor.queue(id=first.ti.id, external_executor_id=stale)
    state, made = executor.loop_until_event(second.ti.key)

    assert state == "running"
    executor.loop_until(lambda: task_name(made) in cluster.secrets)
    executor.rows.start(second.ti)
    cluster.set_status(task_name(made), phase=Phase.FAILED)
    assert executor.loop_until_event(second.ti.key)[0] == "failed"


def test_a_bad_executor_config_fails_its_own_task_only(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    bad = executor.queue(task_id="bad", executor_config={"containerOverides": {}})
    good = executor.queue(task_id="good")

    state, info = executor.loop_until_event(bad.ti.key)
    executor.loop_until(lambda: name_of(good) in cluster.secrets)

    assert state == "failed"
    assert info == (
        "executor_config.containerOverides is unknown to SubmitJob; "
        "did you mean containerOverrides?"
    )
    assert ("bad", "batchtask refused", info) in executor.logged
    assert list(cluster.objects) == [name_of(good)]
    assert good.ti.key in executor.running
    assert bad.ti.key not in executor.running


def test_an_object_in_executor_config_fails_its_own_task_only(executor: ExecutorOver) -> None:
    bad = executor.queue(executor_config={"containerOverrides": object()})

    state, info = executor.loop_until_event(bad.ti.key)

    assert (state, info) == (
        "failed",
        "executor_config.containerOverrides must be an object, not object",
    )


def test_what_the_api_server_refuses_fails_with_its_words(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cluster.fail_next["create"] = [Refused("can't create it: spec.job.jobQueue: too long")]
    workload = executor.queue()

    assert executor.loop_until_event(workload.ti.key) == (
        "failed",
        "can't create it: spec.job.jobQueue: too long",
    )


@pytest.mark.parametrize(
    "error", [NotInstalled("install the CRD"), Forbidden("no right"), Unavailable("no answer")]
)
def test_an_outage_is_told_where_the_user_looks_and_waited_out(
    executor: ExecutorOver, cluster: FakeBatchTasks, error: Any
) -> None:
    cluster.down = error
    workload = executor.queue()
    executor.loop_until(lambda: executor.logged)
    assert executor.logged == [("load", "batchtask delayed", f"{error}; will retry")]
    assert workload.ti.key in executor.running

    cluster.down = None

    executor.loop_until(lambda: name_of(workload) in cluster.secrets)


def test_a_dropped_job_name_is_told(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    written(executor, cluster, executor_config={"job_name": "mine"})

    ((_, event, text),) = executor.logged
    assert event == "batchtask created"
    assert "the job's name was dropped" in str(text)


def test_a_task_without_heartbeat_is_cancelled(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)

    executor.change_state(workload.ti.key, "failed", remove_running=True)  # type: ignore[arg-type]
    executor.loop_until(lambda: cluster.objects[name_of(workload)].spec.cancel)

    assert not len(executor._table)
    cluster.set_status(name_of(workload), phase=Phase.CANCELLED)
    until(lambda: _seen(executor, workload) is Phase.CANCELLED)
    assert not executor.loop()


def test_a_refusal_of_what_airflow_has_ended_is_no_event(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cluster.latency_seconds = 0.1
    cluster.fail_next["create"] = [Refused("no")]
    workload = executor.queue()
    executor.loop()
    executor.change_state(workload.ti.key, "failed", remove_running=True)  # type: ignore[arg-type]
    executor.get_event_buffer()

    events = executor.loop_until(lambda: not len(executor._table))

    assert not events


def test_the_end_leaves_jobs_to_the_next_scheduler(
    executor: ExecutorOver, cluster: FakeBatchTasks, configured: pytest.MonkeyPatch
) -> None:
    workload = running(executor, cluster)
    executor.end()
    executor.terminate()
    assert not cluster.objects[name_of(workload)].spec.cancel

    cluster.reopen()
    heir = ExecutorOver(cluster, rows=executor.rows, parallelism=10)
    assert list(heir.try_adopt_task_instances([row_of(workload)])) == []
    heir.start()
    heir.loop_until(lambda: workload.ti.key in heir.running)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)

    assert heir.loop_until_event(workload.ti.key)[0] == "success"
    heir.end()


def test_a_task_that_ended_before_it_was_adopted_is_reported(
    executor: ExecutorOver, cluster: FakeBatchTasks, configured: pytest.MonkeyPatch
) -> None:
    workload = running(executor, cluster)
    cluster.set_status(name_of(workload), phase=Phase.FAILED)
    executor.end()

    cluster.reopen()
    heir = ExecutorOver(cluster, rows=executor.rows, parallelism=10)
    heir.start()
    heir.loop_until(lambda: heir._parts.cache.last_complete)  # type: ignore[union-attr]
    heir.try_adopt_task_instances([row_of(workload)])

    assert heir.loop_until_event(workload.ti.key)[0] == "failed"
    heir.end()


def test_only_what_has_an_external_id_is_adopted_and_nothing_is_raised(
    executor: ExecutorOver,
) -> None:
    class Broken:
        @property
        def external_executor_id(self) -> str:
            raise RuntimeError("the row went away")

    good, none, odd = (
        executor.queue(external_executor_id=given).ti for given in (str(uuid.uuid4()), None, "17")
    )
    broken: Any = Broken()

    left = executor.try_adopt_task_instances([good, none, odd, broken])  # type: ignore[list-item]

    assert list(left) == [none, odd, broken]


def test_adoption_is_no_io_and_waits_for_the_list(
    configured: pytest.MonkeyPatch,
) -> None:
    cluster = FakeBatchTasks(down=Unavailable("no answer"))
    executor = ExecutorOver(cluster)
    ti = row_of(executor.queue())
    executor.queued_tasks.clear()

    assert list(executor.try_adopt_task_instances([ti])) == []

    assert not cluster.requests
    assert not executor.rows.requests
    assert not executor.running


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (options(submit_job_kwargs="{"), "[batchtask_executor] submit_job_kwargs: it must be JSON"),
        (options(submit_job_kwargs={"jobQeue": "q"}), "did you mean jobQueue?"),
        (options(in_cluster="perhaps"), "[batchtask_executor] in_cluster"),
    ],
)
def test_a_wrong_option_fails_the_tasks_and_not_the_scheduler(
    configured: pytest.MonkeyPatch, given: dict[str, str], words: str
) -> None:
    for name, value in given.items():
        configured.setenv(name, value)
    executor = ExecutorOver(FakeBatchTasks())
    executor.start()
    workload = executor.queue()

    state, info = executor.loop_until_event(workload.ti.key)

    assert state == "failed"
    assert words in info
    assert "restart the scheduler" in info
    executor.end()


def test_a_port_that_cannot_be_made_does_not_stop_the_scheduler(
    configured: pytest.MonkeyPatch,
) -> None:
    class Broken(ExecutorOver):
        def connect(self, settings: Any, answer_within: Any = None) -> Any:
            raise RuntimeError("no such module")

    executor = Broken(FakeBatchTasks())
    executor.start()
    workload = executor.queue()

    assert "no such module" in executor.loop_until_event(workload.ti.key)[1]


def test_the_constructor_starts_nothing_and_the_idle_executor_is_harmless() -> None:
    cluster = FakeBatchTasks()
    executor = ExecutorOver(cluster)

    executor.sync()
    executor.end()

    assert not cluster.requests
    assert executor.pre_assigns_external_executor_id


def test_no_token_is_in_what_the_executor_shows(
    executor: ExecutorOver, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    workload = executor.queue(executor_config={"jobQueue": object()})
    other = executor.queue(task_id="other")
    executor.loop_until_event(workload.ti.key)
    executor.loop_until(lambda: name_of(other) in cluster.secrets)
    executor.debug_dump()  # type: ignore[no-untyped-call]

    assert "eyJ" not in caplog.text
    assert "eyJ" not in repr(executor.logged)
    assert "eyJ" not in repr(cluster.objects)
    assert "eyJ" not in repr(cluster.secrets)

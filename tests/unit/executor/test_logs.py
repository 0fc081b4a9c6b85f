import json
import time
from pathlib import Path

import pytest

from batchtask_api import Phase
from batchtask_executor.cluster.tasks import Forbidden, Unavailable
from batchtask_executor.config import Settings, SettingsError
from batchtask_executor.view.links import LogStream
from batchtask_executor.view.logs import TaskLog, TaskLogs
from batchtask_executor.view.output import OutputUnavailable
from fakes.http_server import hanging_server, write_kubeconfig
from fakes.output import FakeOutput
from fakes.task_instances import STREAM, Ti, create, ran
from fakes.tasks import FakeBatchTasks


def logs(
    cluster: FakeBatchTasks, output: FakeOutput | None = None, *, is_on: bool = True
) -> TaskLogs:
    return TaskLogs(
        lambda: Settings(cloudwatch_logs=is_on),
        lambda *_: cluster,
        lambda: output or FakeOutput(),
    )


def events(found: TaskLog) -> list[list[str]]:
    return [[json.loads(line)["event"] for line in stream] for stream in found.streams]


def test_nothing_is_opened_before_it_is_asked_for() -> None:
    opened = []

    def settings() -> Settings:
        opened.append("settings")
        return Settings()

    found = TaskLogs(settings, lambda *_: FakeBatchTasks())
    before = list(opened)
    found.of(Ti(), 1, with_output=False)
    found.of(Ti(), 1, with_output=False)

    assert before == []
    assert opened == ["settings"]


def test_a_task_tells_where_it_is_and_what_it_came_past(cluster: FakeBatchTasks) -> None:
    name = create(cluster, phase=Phase.RUNNABLE)

    found = logs(cluster).of(Ti(), 1, with_output=False)

    where = f"kubectl -n airflow-tasks get bt {name} -o yaml"
    assert found.sources == [f"BatchTask airflow-tasks/{name}: {where}"]
    assert "The job is RUNNABLE: it waits for its turn and for room" in events(found)[0]


def test_every_queuing_of_the_try_is_told_and_no_other_try(cluster: FakeBatchTasks) -> None:
    names = [create(cluster), create(cluster)]
    create(cluster, try_number=2)

    found = logs(cluster).of(Ti(), 1, with_output=False)

    assert [source.split(":")[0] for source in found.sources] == [
        f"BatchTask airflow-tasks/{name}" for name in names
    ]
    assert len(found.streams) == 2


def test_a_task_instance_without_one_has_no_log_of_ours(cluster: FakeBatchTasks) -> None:
    create(cluster)

    found = logs(cluster).of(Ti(task_id="other"), 1, with_output=True)

    assert not found.sources
    assert not found.streams


def test_what_the_job_wrote_is_shown_after_what_the_task_says(cluster: FakeBatchTasks) -> None:
    output = FakeOutput()
    output.write(STREAM, ["one", "two"])
    create(cluster, **ran())

    found = logs(cluster, output).of(Ti(), 1, with_output=True)

    assert events(found)[1] == ["one", "two"]
    assert found.sources[1] == f"CloudWatch {STREAM}"


def test_what_the_job_wrote_is_read_where_the_definition_logs_to(cluster: FakeBatchTasks) -> None:
    output = FakeOutput()
    elsewhere = LogStream("/its/own", STREAM.name, "eu-west-1")
    output.write(elsewhere, ["one"])
    output.write(STREAM, ["another's"])
    create(cluster, **ran(log_group_name="/its/own", log_region="eu-west-1"))

    found = logs(cluster, output).of(Ti(), 1, with_output=True)

    assert events(found)[1] == ["one"]
    assert found.sources[1] == f"CloudWatch log group /its/own, stream {STREAM.name}"
    assert "region=eu-west-1#logsV2:log-groups/log-group/$252Fits$252Fown/" in str(events(found)[0])


@pytest.mark.parametrize(("is_on", "is_wanted"), [(False, True), (True, False)])
def test_what_the_job_wrote_is_left_alone_where_it_is_not_wanted(
    cluster: FakeBatchTasks, *, is_on: bool, is_wanted: bool
) -> None:
    output = FakeOutput()
    output.write(STREAM, ["one"])
    create(cluster, **ran())

    found = logs(cluster, output, is_on=is_on).of(Ti(), 1, with_output=is_wanted)

    assert len(found.streams) == 1
    assert output.reads == 0


def test_more_than_can_be_shown_is_said_to_be_more(cluster: FakeBatchTasks) -> None:
    output = FakeOutput(most=1)
    output.write(STREAM, ["one", "two"])
    create(cluster, **ran())

    found = logs(cluster, output).of(Ti(), 1, with_output=True)

    assert events(found)[1] == [
        "one",
        f"There is more in CloudWatch {STREAM}",
    ]


def test_the_tail_is_shown_only_where_the_whole_is_not(cluster: FakeBatchTasks) -> None:
    output = FakeOutput()
    output.write(STREAM, ["one", "Killed"])
    create(cluster, **ran(phase=Phase.FAILED, log_tail=("Killed",)))

    whole = logs(cluster, output).of(Ti(), 1, with_output=True)
    tail = logs(cluster, output).of(Ti(), 1, with_output=False)

    assert "Killed" not in events(whole)[0]
    assert events(whole)[1] == ["one", "Killed"]
    assert "Killed" in events(tail)[0]


def test_output_that_cannot_be_read_is_a_source_and_hides_nothing(
    cluster: FakeBatchTasks,
) -> None:
    output = FakeOutput(down=OutputUnavailable("AccessDenied; give the role logs:GetLogEvents"))
    create(cluster, **ran(phase=Phase.FAILED, log_tail=("Killed",)))

    found = logs(cluster, output).of(Ti(), 1, with_output=True)

    assert found.sources[1].endswith("can't be read: AccessDenied; give the role logs:GetLogEvents")
    assert "Killed" in events(found)[0]


def test_without_its_library_cloudwatch_is_a_source_that_says_what_to_install(
    cluster: FakeBatchTasks,
) -> None:
    def missing() -> FakeOutput:
        raise OutputUnavailable("No module named 'boto3': install airflow-batchtask[logs]")

    create(cluster, **ran())
    found = TaskLogs(lambda: Settings(cloudwatch_logs=True), lambda *_: cluster, missing)

    assert "airflow-batchtask[logs]" in found.of(Ti(), 1, with_output=True).sources[1]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("can't find the BatchTasks of etl.load: no answer"),
        Forbidden("can't find the BatchTasks of etl.load: no right"),
        RuntimeError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cluster_that_fails_is_a_source(cluster: FakeBatchTasks, error: Exception) -> None:
    cluster.fail_next["find"] = [error]

    found = logs(cluster).of(Ti(), 1, with_output=True)

    assert len(found.sources) == 1
    assert found.sources[0].startswith("BatchTasks can't be read: ")
    assert str(error) in found.sources[0]
    assert found.streams == ()
    (missing,) = found.missing
    assert json.loads(missing) == {
        "level": "warning",
        "logger": "batchtask",
        "event": found.sources[0],
    }


def test_an_api_server_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    with hanging_server() as url:
        file = write_kubeconfig(tmp_path / "kubeconfig", url)
        found = TaskLogs(lambda: Settings(in_cluster=False, config_file=str(file)))
        begun = time.monotonic()

        sources, lines = found.of_running(Ti(), 1)

        assert time.monotonic() - begun < 10  # it is given 3 s
    assert "no answer from" in sources[0]
    assert "no answer from" in lines[0]


def test_of_a_running_task_a_line_says_why_ours_are_missing(cluster: FakeBatchTasks) -> None:
    cluster.fail_next["find"] = [Unavailable("no answer from the API server")]

    sources, lines = logs(cluster).of_running(Ti(), 1)

    assert sources == ["BatchTasks can't be read: no answer from the API server"]
    assert [json.loads(line)["event"] for line in lines] == sources


def test_output_that_fails_by_a_bug_is_a_source(cluster: FakeBatchTasks) -> None:
    create(cluster, **ran())

    found = logs(cluster, FakeOutput(down=RuntimeError("a bug"))).of(Ti(), 1, with_output=True)

    assert "a bug" in found.sources[1]
    assert len(found.streams) == 1


def test_wrong_settings_are_a_source_and_are_read_again(cluster: FakeBatchTasks) -> None:
    create(cluster)
    tries = [SettingsError("[batchtask_executor] instance: must be"), None]

    def settings() -> Settings:
        if error := tries.pop(0):
            raise error
        return Settings()

    found = TaskLogs(settings, lambda *_: cluster)

    assert "[batchtask_executor] instance" in found.of(Ti(), 1, with_output=False).sources[0]
    assert len(found.of(Ti(), 1, with_output=False).streams) == 1


def test_a_running_task_is_never_without_a_source(cluster: FakeBatchTasks) -> None:
    sources, lines = logs(cluster).of_running(Ti(), 1)

    assert sources == ["There is no BatchTask of this try (any more)"]
    assert lines == []


def test_a_running_task_has_all_lines_one_after_the_other(cluster: FakeBatchTasks) -> None:
    output = FakeOutput()
    output.write(STREAM, ["one", "two"])
    create(cluster, **ran())

    sources, lines = logs(cluster, output).of_running(Ti(), 1)

    assert len(sources) == 2
    assert [json.loads(line)["event"] for line in lines[-2:]] == ["one", "two"]

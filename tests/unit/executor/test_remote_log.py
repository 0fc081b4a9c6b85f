import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow._shared.logging.remote import RemoteLogStreamIO
from airflow.configuration import conf
from airflow.utils.state import TaskInstanceState

from batchtask_api import Phase
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.config import Settings
from batchtask_executor.remote_log import BatchTaskLogIO
from batchtask_executor.view.logs import TaskLogs
from fakes.output import FakeOutput
from fakes.remote_logs import OldLogIO, StreamingLogIO
from fakes.task_instances import STREAM, Ti, create, ran
from fakes.tasks import FakeBatchTasks

PATH = "dag_id=etl/run_id=r1/task_id=load/attempt=1.log"


@dataclass
class TiInState(Ti):
    """As much of Airflow's TaskInstance as a log IO looks at."""

    state: TaskInstanceState | None = TaskInstanceState.FAILED
    try_number: int = 1


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """Airflow's folder of local logs."""
    before = conf.get("logging", "base_log_folder")
    conf.set("logging", "base_log_folder", str(tmp_path / "logs"))
    yield tmp_path / "logs"
    conf.set("logging", "base_log_folder", before)


@pytest.fixture
def output() -> FakeOutput:
    found = FakeOutput()
    found.write(STREAM, ["from CloudWatch"])
    return found


@pytest.fixture
def logs(cluster: FakeBatchTasks, output: FakeOutput, base: Path) -> TaskLogs:
    del base
    return TaskLogs(lambda: Settings(cloudwatch_logs=True), lambda *_: cluster, lambda: output)


def write_locally(base: Path, text: str, name: str = PATH) -> Path:
    file = base / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def shown(io: BatchTaskLogIO, ti: Any) -> tuple[list[str], list[str]]:
    """The sources, and the lines as a reader sees them."""
    sources, streams = io.stream(PATH, ti)
    lines = [line for stream in streams for line in stream]
    return sources, [json.loads(line)["event"] if line[:1] == "{" else line for line in lines]


def test_it_is_what_airflow_asks_for(logs: TaskLogs) -> None:
    assert isinstance(BatchTaskLogIO(lambda: None, logs), RemoteLogStreamIO)


def test_the_users_own_logs_come_first_and_whole(cluster: FakeBatchTasks, logs: TaskLogs) -> None:
    theirs = StreamingLogIO(streams=[["a", "b"], [], ["c"]])
    name = create(cluster, phase=Phase.FAILED)

    sources, lines = shown(BatchTaskLogIO(lambda: theirs, logs), TiInState())

    assert sources[0] == "s3://logs"
    assert name in sources[1]
    assert lines[:3] == ["a", "b", "c"]
    assert lines[3] == f"BatchTask airflow-tasks/{name} was created"


def test_beside_the_users_own_lines_the_jobs_output_is_not_shown_twice(
    cluster: FakeBatchTasks, logs: TaskLogs
) -> None:
    create(cluster, **ran(phase=Phase.FAILED, log_tail=("Killed",)))

    _, beside = shown(BatchTaskLogIO(lambda: StreamingLogIO(streams=[["a"]]), logs), TiInState())
    _, alone = shown(BatchTaskLogIO(StreamingLogIO, logs), TiInState())

    assert "from CloudWatch" not in beside
    assert "Killed" in beside
    assert "from CloudWatch" in alone


@pytest.mark.parametrize("texts", [["one\ntwo"], [], None])
def test_a_log_io_of_the_older_form_is_read(
    cluster: FakeBatchTasks, logs: TaskLogs, texts: list[str] | None
) -> None:
    name = create(cluster, phase=Phase.FAILED)

    sources, lines = shown(BatchTaskLogIO(lambda: OldLogIO(texts), logs), TiInState())

    own = ["one", "two"] if texts else []
    assert sources[0] == "hdfs://logs"
    assert lines[: len(own) + 1] == [*own, f"BatchTask airflow-tasks/{name} was created"]


@pytest.mark.parametrize("ours", [None, Unavailable("no answer from the API server")])
def test_a_task_of_another_executor_has_what_it_has_without_ours(
    cluster: FakeBatchTasks, logs: TaskLogs, base: Path, ours: Exception | None
) -> None:
    cluster.down = ours  # type: ignore[assignment]
    write_locally(base, "local")
    theirs = StreamingLogIO()

    sources, lines = shown(BatchTaskLogIO(lambda: theirs, logs), TiInState())

    assert sources[0] == "s3://logs"
    assert sources[1:] == ([f"BatchTasks can't be read: {ours}"] if ours else [])
    assert lines == []  # so that Airflow goes on to the local file


@pytest.mark.parametrize("state", [TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED])
def test_a_task_that_waits_has_a_line_that_says_why_ours_are_missing(
    cluster: FakeBatchTasks, logs: TaskLogs, state: TaskInstanceState
) -> None:
    cluster.down = Unavailable("no answer from the API server")

    sources, lines = shown(BatchTaskLogIO(lambda: None, logs), TiInState(state=state))

    assert lines == sources == ["BatchTasks can't be read: no answer from the API server"]


def test_local_files_are_not_hidden_by_ours(
    cluster: FakeBatchTasks, logs: TaskLogs, base: Path
) -> None:
    file = write_locally(base, "one\ntwo\n")
    trigger = write_locally(base, "three\n", f"{PATH}.trigger.1.log")
    write_locally(base, "another try's\n", PATH.replace("=1.log", "=10.log"))
    create(cluster, **ran(phase=Phase.FAILED))

    sources, lines = shown(BatchTaskLogIO(lambda: None, logs), TiInState())

    assert sources[:2] == [str(file), str(trigger)]
    assert lines[:3] == ["one", "two", "three"]
    assert "from CloudWatch" not in lines
    assert "another try's" not in lines


@pytest.mark.parametrize(
    "state", [TaskInstanceState.QUEUED, TaskInstanceState.UP_FOR_RETRY, TaskInstanceState.DEFERRED]
)
def test_local_files_that_airflow_reads_itself_are_left_to_it(
    cluster: FakeBatchTasks, logs: TaskLogs, base: Path, state: TaskInstanceState
) -> None:
    write_locally(base, "one\n")
    name = create(cluster, phase=Phase.RUNNABLE)

    _, lines = shown(BatchTaskLogIO(lambda: None, logs), TiInState(state=state))

    assert "one" not in lines
    assert lines[0] == f"BatchTask airflow-tasks/{name} was created"


def test_a_file_outside_the_folder_is_not_read(
    cluster: FakeBatchTasks, logs: TaskLogs, base: Path
) -> None:
    outside = base.parent / "outside"
    outside.write_text("a secret")
    (base / PATH).parent.mkdir(parents=True)
    (base / PATH).symlink_to(outside)
    create(cluster, phase=Phase.FAILED)

    _, lines = shown(BatchTaskLogIO(lambda: None, logs), TiInState())

    assert "a secret" not in lines


def test_a_name_that_no_file_can_have_takes_nothing_away(
    cluster: FakeBatchTasks, logs: TaskLogs
) -> None:
    create(cluster, phase=Phase.FAILED)
    ours = BatchTaskLogIO(lambda: None, logs)

    for name in ("a**b.log", "x" * 5000, "a\0b.log"):
        sources, streams = ours.stream(name, TiInState())
        assert sources[0].startswith("BatchTask airflow-tasks/")
        assert len(streams) == 1


def test_while_a_task_runs_the_executor_speaks_and_not_this(
    cluster: FakeBatchTasks, logs: TaskLogs
) -> None:
    create(cluster, **ran())
    theirs = StreamingLogIO(streams=[["a"]])

    found = shown(BatchTaskLogIO(lambda: theirs, logs), TiInState(state=TaskInstanceState.RUNNING))

    assert found == (["s3://logs"], ["a"])
    assert not cluster.requests["find"]


def test_remote_logs_that_fail_are_a_source_and_ours_are_there(
    cluster: FakeBatchTasks, logs: TaskLogs
) -> None:
    theirs = StreamingLogIO(down=RuntimeError("no bucket"))
    create(cluster, phase=Phase.FAILED)

    sources, lines = shown(BatchTaskLogIO(lambda: theirs, logs), TiInState())

    assert sources[0] == "The remote log can't be read: RuntimeError('no bucket')"
    assert lines


def test_remote_logs_that_are_not_implemented_are_no_logs(
    cluster: FakeBatchTasks, logs: TaskLogs
) -> None:
    create(cluster, phase=Phase.FAILED)

    sources, _ = shown(
        BatchTaskLogIO(lambda: StreamingLogIO(down=NotImplementedError()), logs), TiInState()
    )

    assert sources[0].startswith("BatchTask airflow-tasks/")


def test_all_else_goes_to_the_users_own() -> None:
    theirs = StreamingLogIO()
    ours = BatchTaskLogIO.beside(theirs)

    ours.upload("a/path", None)

    assert theirs.uploads == ["a/path"]
    assert ours.processors == ("processor",)
    assert ours.bucket == "logs"


def test_without_any_nothing_is_uploaded_and_nothing_is_processed() -> None:
    ours = BatchTaskLogIO.beside(None)

    ours.upload("a/path", None)

    assert ours.processors == ()
    assert not hasattr(ours, "bucket")


def test_it_reads_at_once_what_it_streams(cluster: FakeBatchTasks, logs: TaskLogs) -> None:
    create(cluster, phase=Phase.FAILED)
    ours = BatchTaskLogIO(lambda: StreamingLogIO(streams=[["a", "b"]]), logs)

    sources, texts = ours.read(PATH, TiInState())

    assert sources[0] == "s3://logs"
    assert texts[0] == "a\nb"
    assert len(texts) == 2

"""Airflow's own log reader over a cluster's BatchTasks, turned on by one line of configuration."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from batchtask_api import AirflowIdentity, ConditionStatus, ConditionType, Phase, Reason
from batchtask_executor.cluster.manifest import Identity, batch_task
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from batchtask_local.batch import LocalBatchConfig, LocalBatchHandle, Queue, StateTimes, running
from builders import a_condition
from contract.local_batch.support import Jobs, batch_client, make_definition
from fakes.clusters import ServedCluster
from fakes.executors import options
from fakes.http_server import hanging_server, write_kubeconfig

pytestmark = pytest.mark.integration

ONE_LINE = {
    "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "batchtask_executor.logging_config.LOGGING_CONFIG"
}
LOCAL = Path("dag_id=etl", "run_id=r1", "task_id=load", "attempt=1.log")
DOCS = Path(__file__).parents[3] / "docs" / "logs.md"
HEADER = "::group::Log message source details"

See = Callable[..., list[list[str]]]


@pytest.fixture
def cluster(emulator_server: Any, namespace: str) -> ServedCluster:
    return ServedCluster(emulator_server, namespace)


@pytest.fixture
def see(cluster: ServedCluster, tmp_path: Path) -> See:
    """Show the log of the task instance in each of the states, by its messages."""

    (tmp_path / "home").mkdir()

    def see(*states: str, more: Mapping[str, str] = ONE_LINE) -> list[list[str]]:
        environment = {
            **os.environ,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
            "AIRFLOW__CORE__EXECUTOR": "batchtask_executor.BatchTaskExecutor",
            "PYTHONPATH": str(tmp_path / "python"),
            **options(
                namespace=cluster.namespace,
                in_cluster="False",
                config_file=str(cluster.server.kubeconfig),
            ),
            **more,
        }
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("log_view.py")), *states],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]

    return see


def create(cluster: ServedCluster, **status: Any) -> str:
    """The task of the task instance's first try, and what came of it."""
    airflow = AirflowIdentity(dag_id="etl", task_id="load", run_id="r1", try_number=1)
    identity = Identity(str(uuid.uuid4()), Queuing("q"), airflow)
    job = Job({"jobQueue": "q", "jobDefinition": "d"})
    task = batch_task(identity, job, namespace=cluster.namespace, instance="airflow", priority=0)
    cluster.tasks.create(task)
    cluster.set_status(task.metadata.name, **status)
    return task.metadata.name


def killed() -> dict[str, Any]:
    return {
        "phase": Phase.FAILED,
        "job_id": "job-1",
        "exit_code": 137,
        "log_tail": ("the job's last words",),
        "conditions": (
            a_condition(
                ConditionType.SUCCEEDED,
                ConditionStatus.FALSE,
                reason=Reason.JOB_FAILED,
                message="OutOfMemoryError",
            ),
        ),
    }


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def header_and_lines(messages: list[str]) -> tuple[list[str], list[str]]:
    end = messages.index("::endgroup::")
    assert messages[0] == HEADER
    return messages[1:end], messages[end + 1 :]


def test_before_the_start_it_says_why_a_task_waits(cluster: ServedCluster, see: See) -> None:
    blocked = a_condition(
        ConditionType.BLOCKED,
        reason=Reason.JOB_RUNNABLE_TOO_LONG,
        message="position 3 of the first 100 in queue q",
    )
    name = create(cluster, phase=Phase.RUNNABLE, job_id="job-1", conditions=(blocked,))

    (queued,) = see("queued")

    sources, lines = header_and_lines(queued)
    assert sources[0].startswith(f"BatchTask {cluster.namespace}/{name}")
    assert f"BatchTask {cluster.namespace}/{name} was created" in lines
    assert "Blocked, JobRunnableTooLong: position 3 of the first 100 in queue q" in lines


def test_after_a_failure_it_has_the_reason_and_the_last_lines(
    cluster: ServedCluster, see: See
) -> None:
    create(cluster, **killed())

    for messages in see("failed", "up_for_retry"):
        _, lines = header_and_lines(messages)
        assert "the job's last words" in lines
        assert "Failed, JobFailed, exit code 137: OutOfMemoryError" in lines
        assert "Could not read served logs" not in str(messages)


def test_while_it_runs_the_executor_is_asked_once(cluster: ServedCluster, see: See) -> None:
    name = create(cluster, phase=Phase.RUNNING, job_id="job-1")

    (running,) = see("running")

    created = f"BatchTask {cluster.namespace}/{name} was created"
    assert running.count(created) == 1
    assert "served logs" not in str(running)


def test_the_tasks_local_log_stays_and_ours_joins_it(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    write(tmp_path / "logs", {str(LOCAL): "from the task\n"})

    failed, retry = see("failed", "up_for_retry")

    for messages in (failed, retry):
        sources, lines = header_and_lines(messages)
        assert str(tmp_path / "logs" / LOCAL) in sources
        assert lines.count("from the task") == 1
        assert "the job's last words" in lines


def test_without_the_line_nothing_is_added(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    write(tmp_path / "logs", {str(LOCAL): "from the task\n"})

    (failed,) = see("failed", more={})

    assert header_and_lines(failed) == ([str(tmp_path / "logs" / LOCAL)], ["from the task"])


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[LocalBatchHandle]:
    """Local Batch, which serves what its jobs write as CloudWatch does."""
    config = LocalBatchConfig(
        directory=tmp_path / "batch",
        queues=[Queue("main", vcpus=16)],
        times=StateTimes(submitted=0.01, pending=0.01, starting=0.01),
    )
    with running(config) as handle:
        make_definition(batch_client(handle.url), "busybox")
        yield handle


def test_what_the_job_wrote_is_there_unless_the_tasks_own_log_is(
    cluster: ServedCluster, see: See, batch: LocalBatchHandle, tmp_path: Path
) -> None:
    jobs = Jobs(batch_client(batch.url), "main", "busybox")
    structured = '{"timestamp": "2026-01-15T12:00:00Z", "event": "structured"}'
    job = jobs.run("printf", r"%s\n", "plain", structured)
    stream = job["container"]["logStreamName"]
    create(cluster, **killed() | {"job_arn": job["jobArn"], "log_stream_name": stream})
    more = {
        **ONE_LINE,
        **options(cloudwatch_logs="True"),
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": batch.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }

    alone = see("failed", "running", more=more)
    write(tmp_path / "logs", {str(LOCAL): "plain\n"})
    (beside,) = see("failed", more=more)

    for messages in alone:
        sources, lines = header_and_lines(messages)
        assert f"CloudWatch log group /aws/batch/job, stream {stream}" in sources
        assert {"plain", "structured"} <= set(lines)
        assert "the job's last words" not in lines
    _, lines = header_and_lines(beside)
    assert lines.count("plain") == 1
    assert "the job's last words" in lines


OWN_CONFIG = """
from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG
from batchtask_executor.remote_log import BatchTaskLogIO

class Own:
    processors = ()
    def upload(self, path, ti=None): ...
    def read(self, relative_path, ti):
        return [f"own://{relative_path}"], ["from the user's own"]

LOGGING_CONFIG = DEFAULT_LOGGING_CONFIG
REMOTE_TASK_LOG = BatchTaskLogIO.beside(Own())
"""


def test_a_logging_configuration_of_ones_own_keeps_its_remote_logs(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    write(tmp_path / "python", {"own_logging.py": OWN_CONFIG})
    more = {"AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "own_logging.LOGGING_CONFIG"}

    (failed,) = see("failed", more=more)

    sources, lines = header_and_lines(failed)
    assert sources[0] == f"own://{LOCAL}"
    assert lines.count("from the user's own") == 1
    assert "the job's last words" in lines


HDFS = """
class HdfsRemoteLogIO:
    processors = ()
    def __init__(self, **kwargs): self.found = "by the scheme"
    @classmethod
    def from_config(cls):
        found = cls()
        found.found = "by the provider"
        return found
    def upload(self, path, ti=None): ...
    def read(self, relative_path, ti): return [self.found], ["from HDFS"]
"""
PROVIDER = """
def info():
    classpath = "airflow.providers.apache.hdfs.log.hdfs_task_handler.HdfsRemoteLogIO"
    return {
        "package-name": "hdfs-for-tests", "name": "HDFS", "description": "HDFS",
        "remote-logging": [{"classpath": classpath, "scheme": "hdfs"}],
    }
"""
HDFS_PACKAGE = {
    "airflow/providers/apache/hdfs/log/hdfs_task_handler.py": HDFS,
    "airflow/providers/apache/hdfs/hooks/webhdfs.py": "class WebHDFSHook: default_conn_name = 'h'",
    "hdfs_for_tests.py": PROVIDER,
    "hdfs_for_tests-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hdfs-for-tests\n"
    "Version: 1.0\n",
    "hdfs_for_tests-1.0.dist-info/entry_points.txt": "[apache_airflow_provider]\n"
    "provider_info = hdfs_for_tests:info\n",
}


def test_remote_logs_by_airflows_own_options_are_found_as_airflow_finds_them(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    write(tmp_path / "python", HDFS_PACKAGE)
    remote = {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "hdfs://logs",
    }

    (without,) = see("failed", more=remote)
    (with_ours,) = see("failed", more=remote | ONE_LINE)

    sources, lines = header_and_lines(with_ours)
    assert header_and_lines(without) == (sources[:1], ["from HDFS"])
    assert lines.count("from HDFS") == 1
    assert "the job's last words" in lines


def test_a_cluster_that_does_not_answer_takes_no_log_away(see: See, tmp_path: Path) -> None:
    write(tmp_path / "logs", {str(LOCAL): "from the task\n"})
    nowhere = options(config_file=str(tmp_path / "no-kubeconfig"))

    failed, running = see("failed", "running", more={**ONE_LINE, **nowhere})

    for messages in (failed, running):
        sources, lines = header_and_lines(messages)
        assert "BatchTasks can't be read: " in str(sources)
        assert lines[0] == "from the task"
    assert header_and_lines(failed)[1] == ["from the task"]


def test_where_a_task_has_no_other_log_a_line_says_why_ours_is_missing(
    see: See, tmp_path: Path
) -> None:
    with hanging_server() as url:
        hangs = options(config_file=str(write_kubeconfig(tmp_path / "kubeconfig", url)))

        found = see("queued", "running", more={**ONE_LINE, **hangs})

    for messages in found:
        _, (line,) = header_and_lines(messages)
        assert line.startswith("BatchTasks can't be read: can't find the BatchTasks of etl.load")
        assert "Read timed out" in line


SEARCHED = {
    "opensearch": """
class OpensearchRemoteLogIO:
    processors = ()
    def __init__(self, **kwargs): ...
    def upload(self, path, ti=None): ...
    def read(self, relative_path, ti): return ["opensearch"], ["from OpenSearch"]
""",
    # Its handler reads the log of a task that doesn't run by itself, and asks nobody else.
    "elasticsearch": """
from airflow.utils.log.file_task_handler import FileTaskHandler, StructuredLogMessage

class ElasticsearchTaskHandler(FileTaskHandler):
    def __init__(self, base_log_folder, **kwargs): super().__init__(base_log_folder)
    def _read(self, ti, try_number, metadata=None):
        events = ["::group::Log message source details", "::endgroup::", "from its handler"]
        return iter(StructuredLogMessage(event=each) for each in events), {"end_of_log": True}

class ElasticsearchRemoteLogIO:
    processors = ()
    def __init__(self, **kwargs): ...
    def upload(self, path, ti=None): ...
    def read(self, relative_path, ti): return ["elasticsearch"], ["from Elasticsearch"]
""",
}
"""As much of the two providers as Airflow's own logging configuration uses."""
OPENSEARCH = {
    "PORT": "9200",
    "USERNAME": "user",
    "PASSWORD": "password",
    "WRITE_TO_OS": "False",
    "TARGET_INDEX": "airflow-logs",
    "HOST_FIELD": "host",
    "OFFSET_FIELD": "offset",
}


def searched_by(provider: str, root: Path) -> dict[str, str]:
    """The configuration of an Airflow whose logs are in a search engine."""
    handler = {"opensearch": "os_task_handler", "elasticsearch": "es_task_handler"}[provider]
    write(root, {f"airflow/providers/{provider}/log/{handler}.py": SEARCHED[provider]})
    return {
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        f"AIRFLOW__{provider.upper()}__HOST": "search.example:9200",
        # Without the provider's own defaults Airflow's settings can't be read.
        **{f"AIRFLOW__OPENSEARCH__{name}": value for name, value in OPENSEARCH.items()},
    }


def test_beside_logs_in_opensearch_ours_are_shown(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    remote = searched_by("opensearch", tmp_path / "python")

    (failed,) = see("failed", more=remote | ONE_LINE)

    sources, lines = header_and_lines(failed)
    assert sources[0] == "opensearch"
    assert lines.count("from OpenSearch") == 1
    assert "the job's last words" in lines


def test_beside_logs_in_elasticsearch_ours_are_shown_by_what_the_docs_say(
    cluster: ServedCluster, see: See, tmp_path: Path
) -> None:
    create(cluster, **killed())
    remote = searched_by("elasticsearch", tmp_path / "python")
    (way_out,) = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    module, text = way_out
    write(tmp_path / "python", {f"{module}.py": text})
    by_the_docs = {"AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": f"{module}.LOGGING_CONFIG"}

    (with_the_line,) = see("failed", more=remote | ONE_LINE)
    (with_the_way_out,) = see("failed", more=remote | by_the_docs)

    assert header_and_lines(with_the_line) == ([], ["from its handler"])
    sources, lines = header_and_lines(with_the_way_out)
    assert sources[0] == "elasticsearch"
    assert lines.count("from Elasticsearch") == 1
    assert "the job's last words" in lines

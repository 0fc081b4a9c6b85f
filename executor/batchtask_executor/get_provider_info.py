"""What Airflow is told of this provider package; light, since every Airflow process reads it."""

from typing import Any

_VERSION = "0.1.0"

_JOB_EXAMPLE = '{"retryStrategy": {"attempts": 1}, "tags": {"team": "data"}}'
_QUEUES_EXAMPLE = '{"gpu": {"job_queue": "gpu-spot", "job_definition": "airflow-worker-gpu:3"}}'


def get_provider_info() -> dict[str, Any]:
    """Describe the package in the form of Airflow's provider_info.schema.json."""
    return {
        "package-name": "airflow-batchtask",
        "name": "BatchTask",
        "description": (
            "Runs task instances as AWS Batch jobs, by way of BatchTask resources in Kubernetes."
        ),
        "executors": ["batchtask_executor.BatchTaskExecutor"],
        "cli": ["batchtask_executor.cli.definition.get_batchtask_cli_commands"],
        "config": {
            "batchtask_executor": {
                "description": (
                    "Options of BatchTaskExecutor; they are read once, at its start. A team's "
                    "executor takes AIRFLOW__TEAM___BATCHTASK_EXECUTOR__OPTION, and nothing of "
                    "this section."
                ),
                "options": _options(),
            }
        },
    }


def _options() -> dict[str, dict[str, Any]]:
    return {
        "instance": _option(
            "Name of this Airflow among those that share a namespace: it takes care of the "
            "BatchTasks that carry it as label batchtask.dev/instance.",
            default="airflow",
            example="airflow-prod",
        ),
        "namespace": _option(
            "The Kubernetes namespace of the BatchTasks and their Secrets.",
            default="airflow-tasks",
        ),
        "in_cluster": _option(
            "Whether the scheduler runs in a pod and uses its service account. When False, a "
            "kubeconfig file is used.",
            kind="boolean",
            default="True",
        ),
        "config_file": _option(
            "Path of the kubeconfig file; KUBECONFIG or ~/.kube/config where absent.",
            example="/opt/airflow/kubeconfig",
        ),
        "cluster_context": _option(
            "Context of the kubeconfig file; its current one where absent.", example="prod"
        ),
        "job_queue": _option(
            "AWS Batch job queue, by name or ARN, of tasks for which nothing else says one.",
            example="airflow",
        ),
        "job_definition": _option(
            "AWS Batch job definition, as name, name:revision or ARN, whose image can run "
            "Airflow tasks.",
            example="airflow-worker:7",
        ),
        "submit_job_kwargs": _option(
            "More parameters of AWS Batch's SubmitJob, as JSON, with its own keys or the same "
            "in snake_case, and the short forms cpu, memory, gpu, env and timeout. They go over "
            "job_queue and job_definition; the tasks' executor_config goes over them.",
            example=_JOB_EXAMPLE,
        ),
        "queues": _option(
            "What Airflow's queues stand for, as JSON: for each, any of job_queue, "
            "job_definition, shape, container and submit_job_kwargs. They go over the options of "
            "the same names.",
            example=_QUEUES_EXAMPLE,
        ),
        "shape": _option(
            "What the job definitions have: container (containerProperties), ecs (ecsProperties) "
            "or eks (eksProperties). It says how a task's short forms (cpu, memory, gpu, env) "
            "and its command are put. Where absent it is that of the overrides that are given, "
            "and container without any.",
            example="eks",
        ),
        "container": _option(
            "Name of the container that runs the task, for job definitions with several; the "
            "first where absent.",
            example="airflow",
        ),
        "token_lifetime": _option(
            "Seconds for which a task's token is good: its job must start within them.",
            kind="integer",
            default="86400",
        ),
        "log_group": _option(
            "The CloudWatch Logs group of jobs whose definition names none of its own; links to a "
            "job's log name it.",
            default="/aws/batch/job",
        ),
        "cloudwatch_logs": _option(
            "Whether Airflow's api-server shows what a job wrote to CloudWatch Logs while it runs, "
            "and afterwards where there is no other log of the task. The api-server needs the "
            "AWS right logs:GetLogEvents and the package's extra [logs].",
            kind="boolean",
            default="False",
        ),
        "start_retries": _option(
            "How many more jobs a task gets whose job failed, or was lost, before the task in it "
            "started. None of them uses up a retry of the task's own.",
            kind="integer",
            default="3",
        ),
        "queued_timeout": _option(
            "Seconds for which a task may wait for its job to start. Then the job is cancelled "
            "and the task fails with AWS's reason, or is tried again if it has retries. 0: it "
            "may wait for ever. [scheduler] task_queued_timeout does not apply.",
            kind="integer",
            default="0",
            example="14400",
        ),
        "finish_grace": _option(
            "Seconds for which a job may go on after its task instance was finished, marked or "
            "cleared, to upload its logs for example. Then it is cancelled; one that has not "
            "started is cancelled at once.",
            kind="integer",
            default="300",
        ),
        "connection_tests": _option(
            "Whether connections are tested in jobs (Airflow 3.3 and later). Airflow gives a test "
            "90 seconds by default, [connection_test] timeout and half of it again: a job queue "
            "whose instances must start first takes longer.",
            kind="boolean",
            default="False",
        ),
    }


def _option(
    description: str,
    *,
    kind: str = "string",
    default: str | None = None,
    example: str | None = None,
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": _VERSION,
        "type": kind,
        "example": example,
        "default": default,
    }

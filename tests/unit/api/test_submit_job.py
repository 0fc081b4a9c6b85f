"""The shipped schema of spec.job."""

import subprocess
import sys

from batchtask_api import submit_job


def test_queue_and_definition_are_required_and_the_name_is_ours() -> None:
    schema = submit_job.schema()

    assert schema["required"] == ["jobDefinition", "jobQueue"]
    assert "jobName" not in schema["properties"]


def test_each_caller_has_a_copy_of_its_own() -> None:
    submit_job.schema()["properties"].clear()

    assert submit_job.schema()["properties"]


def test_it_is_read_without_botocore_and_yaml() -> None:
    program = (
        "import sys; from batchtask_api import crd, rbac, submit_job; submit_job.schema();"
        "sys.exit(str([name for name in ('botocore', 'yaml') if name in sys.modules]))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.stderr.strip() == "[]"

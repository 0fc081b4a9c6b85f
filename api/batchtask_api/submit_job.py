"""The schema of spec.job: SubmitJob's request, without botocore."""

import json
from importlib import resources
from typing import Any, cast


def schema() -> dict[str, Any]:
    """Read the structural OpenAPI v3 schema of `spec.job`, the caller's own copy each time.

    It has AWS's names, types, descriptions and required fields; `jobName`, which the controller
    gives, is not in it. A key that is no property is an error: the API server refuses it.
    """
    text = resources.files("batchtask_api").joinpath("submit_job.json").read_text("utf-8")
    return cast("dict[str, Any]", json.loads(text)["schema"])

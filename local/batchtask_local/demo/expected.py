"""What the example DAG must have come to."""

from collections.abc import Mapping
from types import MappingProxyType

DAG_ID = "batchtask_demo"

STATES: Mapping[tuple[str, int], str] = MappingProxyType(
    {
        ("numbers", -1): "success",
        ("square", 0): "success",
        ("square", 1): "success",
        ("square", 2): "success",
        ("choose", -1): "success",
        ("large", -1): "success",
        ("small", -1): "skipped",
        ("flaky", -1): "success",
    }
)
"""State of each task instance, by task id and map index."""

JOBS = 8
"""One job an attempt: `small` is skipped and has none, `flaky` has two."""

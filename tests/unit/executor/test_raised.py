import json

import pytest

from batchtask_executor.following.raised import raised

FAILED = json.dumps({"event": "Callback failed", "error": "RuntimeError: no", "level": "error"})
LAST = json.dumps({"event": "Workload finished", "exit_code": 1})


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ((FAILED,), "RuntimeError: no"),
        (("half a line", FAILED, LAST, "Traceback (most recent call last):"), "RuntimeError: no"),
        ((), None),
        ((LAST,), None),
        (("Callback failed",), None),
        (('["Callback failed"]',), None),
        (('["Callback failed", ' + "[" * 100_000,), None),
        (('{"event": "Callback failed"}',), None),
        (('{"event": "Callback failed", "error": 1}',), None),
        (('{"event": "The Callback failed", "error": "no"}',), None),
    ],
)
def test_it_is_found_in_airflows_own_line_alone(
    tail: tuple[str, ...], expected: str | None
) -> None:
    assert raised(tail) == expected


def test_a_credential_in_it_is_not_told() -> None:
    token = "eyJ" + "x" * 20

    found = raised((json.dumps({"event": "Callback failed", "error": f"refused: {token}"}),))

    assert found == "refused: (redacted)"

import pytest

from batchtask_api.addresses import without_login


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host:8443/execution/", "https://***@host:8443/execution/"),
        ("https://me:s@cret@host", "https://***@host"),
        ("https://token@host", "https://***@host"),
        (
            'no answer from "http://me:secret@host/v1?a=b@c"',
            'no answer from "http://***@host/v1?a=b@c"',
        ),
        ("https://host/path/me@example.com", "https://host/path/me@example.com"),
        ("https://host?to=me@example.com", "https://host?to=me@example.com"),
        ("http://one, me@example.com", "http://one, me@example.com"),
        ("http://a:b@one http://c:d@two", "http://***@one http://***@two"),
        ("registry/image:tag@sha256:0123", "registry/image:tag@sha256:0123"),
    ],
)
def test_a_login_is_not_shown(text: str, shown: str) -> None:
    assert without_login(text) == shown

"""Every test of the port runs over the fake and over local Batch."""

from collections.abc import Iterator

import pytest

from batchtask_local.batch import LocalBatchHandle
from contract.controller.accounts import Account, a_fake_account, a_local_account, local_batch


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    with local_batch(tmp_path_factory.mktemp("batch")) as running:
        yield running


@pytest.fixture(params=["fake", "local"])
def account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    if request.param == "fake":
        yield a_fake_account()
        return
    with a_local_account(request.getfixturevalue("server"), monkeypatch) as local:
        yield local

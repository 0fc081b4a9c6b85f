"""A standby is at work soon after the leader was killed."""

import pytest

from batchtask_local.apiserver import ApiServer
from chaos.fail_over import seconds_to_first_patch

pytestmark = [pytest.mark.envtest, pytest.mark.chaos]


def test_the_standby_writes_within_15_seconds_under_500_live_tasks(server: ApiServer) -> None:
    assert seconds_to_first_patch(server, 500) < 15

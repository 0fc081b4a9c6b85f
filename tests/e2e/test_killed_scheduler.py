"""kill -9 of the scheduler in each phase of a task: the same final state, and one job."""

from collections.abc import Iterator, Mapping

import pytest

from e2e.killing import Ended, Phase, kill

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Phase, Ended]]:
    with kill(tmp_path_factory.mktemp("killed")) as ended:
        yield ended


@pytest.mark.parametrize("phase", Phase)
def test_a_task_ends_as_if_its_scheduler_had_lived(
    phase: Phase, ended: Mapping[Phase, Ended]
) -> None:
    assert ended[phase] == Ended(state="success", tries=1, tasks=1, jobs=1)

"""A controller falls at each step of the protocol; another goes on."""

import pytest

from chaos import report
from chaos.conftest import Ran
from chaos.scenario import Scenario, every_point

pytestmark = [pytest.mark.envtest, pytest.mark.chaos]


@pytest.mark.parametrize("scenario", every_point(), ids=lambda scenario: scenario.name)
def test_each_task_has_one_job_and_its_end(scenario: Scenario, ran: Ran) -> None:
    assert report.problems(ran(scenario)) == []

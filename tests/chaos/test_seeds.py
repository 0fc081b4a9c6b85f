"""Controllers killed and frozen at random, over an AWS Batch that fails at random."""

import pytest

from chaos import report
from chaos.conftest import Ran
from chaos.scenario import Scenario, of_seed

pytestmark = [pytest.mark.envtest, pytest.mark.chaos]


@pytest.mark.parametrize(
    "scenario", [of_seed(1, tasks=80), of_seed(2, tasks=80)], ids=lambda one: f"seed-{one.seed}"
)
def test_each_task_has_one_job_and_its_end(scenario: Scenario, ran: Ran) -> None:
    assert report.problems(ran(scenario)) == []

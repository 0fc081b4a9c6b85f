"""Without a part of the protocol there are duplicates, and the audit sees them."""

import pytest

from chaos.conftest import Ran
from chaos.orders import Mutant
from chaos.scenario import Scenario, of_mutant

pytestmark = [pytest.mark.envtest, pytest.mark.chaos]


@pytest.mark.parametrize(
    "scenario", [of_mutant(mutant) for mutant in Mutant], ids=lambda one: str(one.mutant)
)
def test_a_mutant_makes_duplicates_and_is_seen(scenario: Scenario, ran: Ran) -> None:
    assert ran(scenario).audit.duplicates

"""A seed draws one run and no other."""

from chaos.scenario import of_seed


def test_a_seed_draws_the_same_run_each_time() -> None:
    assert of_seed(7) == of_seed(7)
    assert of_seed(7) != of_seed(8)

"""The model's ticks stand for the product's durations: same order, same sum."""

from itertools import pairwise

import pytest

from batchtask_controller.timings import Timings
from model.bounds import BOUNDS
from model.rules import Ticks, seconds_in_order

TICKS = {model.ticks for models in BOUNDS.values() for model in models}


def test_the_durations_are_in_the_order_that_the_argument_needs() -> None:
    assert all(shorter < longer for shorter, longer in pairwise(seconds_in_order(Timings())))


@pytest.mark.parametrize("ticks", sorted(TICKS, key=repr), ids=str)
def test_ticks_are_in_the_same_order(ticks: Ticks) -> None:
    assert all(shorter < longer for shorter, longer in pairwise(ticks.in_order()))


def test_anothers_intent_waits_for_the_sum_of_what_can_delay_it() -> None:
    timings, ticks = Timings(), Ticks(1, 2, 4, 6, 1, 12)

    assert timings.resend_others_after == 30 + 900 + 60 + 120
    assert ticks.resend_others_after == 1 + 6 + 1 + 2


def test_a_straggler_has_time_to_arrive_and_to_be_seen() -> None:
    timings = Timings()

    assert timings.resend_after - timings.visibility_lag >= 180
    assert Ticks().straggling >= 1

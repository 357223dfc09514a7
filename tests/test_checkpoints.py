"""Which state of a head is kept, and when training ends."""

import numpy as np
import pytest
import torch

from blindlib.blinders.checkpoints import Checkpoints
from blindlib.blinders.heads import ResidualHeads


def heads(mark):
    """Two splits with two strengths; every number of the bank is `mark`."""
    bank = ResidualHeads(2, torch.zeros(4, 3), torch.ones(4), torch.Generator()).requires_grad_(False)
    for value in bank.parameters():
        value.fill_(mark)
    return bank


def told(attribute, identity):
    return {"attribute": np.array(attribute, float), "identity": np.array(identity, float)}


@pytest.fixture
def begun():
    """x verifies at 90 and is read at 60; 10 percent may be lost: 86 is the floor."""
    return Checkpoints(heads(0.0), told([60] * 4, [90] * 4), [0.5, 1.0], 10.0)


def test_the_lowest_reading_within_the_budget_is_kept_and_the_last_state_until_there_is_one(begun):
    begun.look(1, heads(1.0), told([50, 50, 50, 50], [86, 85.9, 90, 80]))
    begun.look(2, heads(2.0), told([51, 50, 40, 10], [90, 86, 85, 80]))
    begun.look(3, heads(3.0), told([49, 55, 49, 20], [87, 90, 90, 85]))
    assert begun.round.tolist() == [3, 2, 3, 3]
    for value in begun.heads.parameters():
        assert value.reshape(4, -1).unique(dim=1).flatten().tolist() == [3, 2, 3, 3]
    assert begun.lowest.tolist() == [49, 50, 49, 60]
    begun.look(4, heads(4.0), told([49, 50, 49, 20], [90] * 4))
    assert begun.round.tolist() == [3, 2, 3, 4], "what is equal is not better; the fourth is within at last"
    begun.look(5, heads(5.0), told([60, 60, 60, 10], [90, 90, 90, 50]))
    assert begun.round.tolist() == [3, 2, 3, 4], "and what was within is not given up for what is not"


def test_it_has_settled_when_no_strength_hides_a_point_more(begun):
    fall = [(50, 50), (40, 50), (40, 49.2), (40, 48.6), (40, 48.5), (40, 48.4)]  # of the first split's two strengths
    ended = []
    for number, (none, penalised) in enumerate(fall, 1):
        begun.look(number, heads(1.0), told([none, penalised, none, penalised - 1], [90] * 4))
        ended.append(begun.settled(2))
    assert ended == [False, False, False, False, True, True], "1.4 points in two looks, then 0.7"


def test_strengths_are_looked_at_by_themselves_and_splits_together(begun):
    begun.look(1, heads(1.0), told([50, 50, 50, 50], [90] * 4))
    begun.look(2, heads(2.0), told([50, 48.1, 50, 50], [90] * 4))
    assert begun.settled(1), "0.95 points on the mean of two splits"
    begun.look(3, heads(3.0), told([50, 48.1, 50, 47], [90] * 4))
    assert not begun.settled(1)


def test_a_state_out_of_budget_does_not_keep_training_going(begun):
    for number in range(1, 4):
        begun.look(number, heads(number), told([60 - 5 * number] * 4, [50] * 4))
    assert begun.settled(3) and not begun.settled(4)


def test_the_first_state_within_the_budget_replaces_one_that_was_not_though_more_is_read_of_it(begun):
    begun.look(1, heads(1.0), told([55] * 4, [80] * 4))
    begun.look(2, heads(2.0), told([61] * 4, [88] * 4))
    assert begun.round.tolist() == [2] * 4 and begun.lowest.tolist() == [61] * 4
    begun.look(3, heads(3.0), told([62] * 4, [90] * 4))
    assert begun.round.tolist() == [2] * 4


def test_without_a_penalty_the_last_state_is_kept_whatever_is_read_of_it():
    plain = Checkpoints(heads(0.0), told([60] * 4, [90] * 4), [0.0, 1.0], 10.0)
    plain.look(1, heads(1.0), told([30] * 4, [90] * 4))
    plain.look(2, heads(2.0), told([50] * 4, [70] * 4))
    assert plain.round.tolist() == [2, 1, 2, 1]

"""Which state of a head is kept, and when training ends."""

import numpy as np
import pytest
import torch

from blindlib.blinders.checkpoints import Checkpoints
from blindlib.blinders.heads import ResidualHeads


def heads(mark, count=4):
    """A bank, by default of two splits with two strengths; every number of it is `mark`."""
    bank = ResidualHeads(2, torch.zeros(count, 3), torch.ones(count), torch.Generator()).requires_grad_(False)
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


def test_a_strength_has_settled_when_it_hides_no_point_more(begun):
    """x is read at 60; of both splits alike the first strength never hides more, the second does for four rounds."""
    going = []
    for number, fall in enumerate((50, 49.5, 48.8, 48.2, 48), 1):
        read = [60, fall, 60, fall] if number < 3 else [fall, fall]
        begun.look(number, heads(1.0, len(read)), told(read, [90] * len(read)))
        going.append(begun.going(2))
    assert going == [[0, 1], [1], [0], [0], []], "in two looks 10.5 points, 1.2, 1.3 and 0.8"


def test_the_splits_of_a_strength_go_on_together(begun):
    begun.look(1, heads(1.0), told([50, 50, 50, 50], [90] * 4))
    begun.look(2, heads(2.0), told([50, 48.1, 50, 47.9], [90] * 4))
    assert begun.going(1) == [1], "2 points on the mean of two splits"
    begun.look(3, heads(3.0, 2), told([48.1, 46.0], [90] * 2))
    assert begun.going(1) == [], "0.95 points on the mean of two splits"
    assert begun.lowest.tolist() == [50, 48.1, 50, 46.0] and begun.round.tolist() == [1, 2, 1, 3]


def test_a_state_out_of_budget_does_not_keep_training_going(begun):
    for number in range(1, 4):
        begun.look(number, heads(number), told([60 - 5 * number] * 4, [50] * 4))
    assert begun.going(4) == [0, 1] and begun.going(3) == []


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

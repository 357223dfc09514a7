"""Early stopping: which checkpoint of a head is kept, when training ends, and what counts as converged."""

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


def test_the_checkpoint_that_hides_most_within_the_tolerance_is_kept_and_the_last_until_there_is_one(begun):
    begun.look(1, heads(1.0), told([50, 50, 50, 50], [86, 85.9, 90, 80]))
    begun.look(2, heads(2.0), told([52, 50, 40, 10], [90, 86, 85, 80]))
    begun.look(3, heads(3.0), told([48, 55, 48, 20], [87, 90, 90, 85]))
    assert begun.round.tolist() == [3, 2, 3, 3]
    for value in begun.heads.parameters():
        assert value.reshape(4, -1).unique(dim=1).flatten().tolist() == [3, 2, 3, 3]
    begun.look(4, heads(4.0), told([60, 60, 60, 20], [90] * 4))
    assert begun.round.tolist() == [3, 2, 3, 4], "the fourth is within at last"
    begun.look(5, heads(5.0), told([60, 60, 60, 10], [90, 90, 90, 50]))
    assert begun.round.tolist() == [3, 2, 3, 4], "and what was within is not given up for what is not"


def test_among_checkpoints_that_hide_equally_well_the_one_that_verifies_best_is_kept(begun):
    begun.look(1, heads(1.0), told([50] * 4, [88] * 4))
    begun.look(2, heads(2.0), told([50.9, 51.1, 49.5, 48.9], [89, 89, 87, 87]))
    assert begun.round.tolist() == [2, 1, 1, 2], "within a point and better; too far; within and worse; a point lower"


def test_ties_do_not_drift_upwards(begun):
    """Each is within a point of the one before, but the lowest accuracy counts."""
    for number, read in enumerate((50, 50.8, 51.6), 1):
        begun.look(number, heads(number), told([read] * 4, [86 + number] * 4))
    assert begun.round.tolist() == [2] * 4


def test_a_strength_stops_when_it_hides_no_point_more(begun):
    """x is predicted with 60; the first strength never hides more, the second does for four rounds."""
    going = []
    for number, fall in enumerate((50, 49.5, 48.4, 47.2, 46.9), 1):
        read = [60, fall, 60, fall] if number < 3 else [fall, fall]
        begun.look(number, heads(1.0, len(read)), told(read, [90] * len(read)))
        going.append(begun.going(2))
    assert going == [[0, 1], [1], [0], [0], []], "in two steps 10.5 points, 1.6, 2.3 and 1.5"


def test_a_strength_without_a_checkpoint_within_the_tolerance_has_not_converged(begun):
    for number in range(1, 4):
        begun.look(number, heads(number), told([60 - 5 * number] * 4, [50, 90, 50, 90]))
    assert begun.going(3) == [1] and not begun.converged
    for number in range(4, 8):
        begun.look(number, heads(number, 2), told([45] * 2, [90] * 2))
    assert begun.going(3) == [] and not begun.converged, "the first strength stopped, and has no checkpoint"


def test_with_a_checkpoint_each_a_bank_that_stopped_has_converged(begun):
    for number in range(1, 5):
        begun.look(number, heads(number), told([50] * 4, [90] * 4))
        assert not begun.converged
    assert begun.going(2) == [] and begun.converged


def test_without_a_penalty_the_last_state_is_kept_and_trained_as_long_as_the_others():
    plain = Checkpoints(heads(0.0), told([60] * 4, [90] * 4), [0.0, 1.0], 10.0)
    plain.look(1, heads(1.0), told([30] * 4, [90] * 4))
    plain.look(2, heads(2.0), told([50] * 4, [70] * 4))
    assert plain.round.tolist() == [2, 1, 2, 1]
    assert plain.going(1) == [] and plain.converged, "the other strength ended, and so does the control"
    falling = Checkpoints(heads(0.0), told([60] * 4, [90] * 4), [0.0, 1.0], 10.0)
    falling.look(1, heads(1.0), told([60, 50, 60, 50], [90] * 4))
    assert falling.going(1) == [0, 1], "the control goes on beside it"

"""Numbers that every room means by the same name."""

import numpy as np
from sklearn.metrics import recall_score

from blindlib.metrics import balanced_accuracy, diff, interval, paired_diff, people_needed


def test_balanced_accuracy_is_scikit_learns_to_the_last_bit():
    rng = np.random.default_rng(1)
    for _ in range(200):
        classes, images = rng.integers(1, 8), rng.integers(1, 300)
        truth = rng.integers(0, classes, images)
        guess = np.where(rng.random(images) < 0.6, truth, rng.integers(0, classes + 1, images))
        expected = 100 * recall_score(truth, guess, labels=np.unique(truth), average="macro")
        assert balanced_accuracy(truth, guess) == expected
        assert balanced_accuracy(truth.astype(str), guess.astype(str)) == expected


def test_so_many_people_give_the_interval_that_was_asked_for():
    rng, rotations, images, rate = np.random.default_rng(0), 5, 6, 0.45
    for alike in (0.0, 0.3):
        people = people_needed(3.0, 100 * rate, images, alike, rotations)
        widths = []
        for _ in range(300):  # a share `alike` of a person's answers is one answer given again
            own = rng.random((people, 1)) < rate
            again = rng.random((people, images)) < np.sqrt(alike)
            answers = np.where(again, own, rng.random((people, images)) < rate)
            parts = np.array_split(answers, rotations)
            widths.append(interval(np.array([100 * part.mean() for part in parts]))[1])
        assert abs(np.sqrt(np.mean(np.square(widths))) - 3.0) < 0.25, alike


def test_diff_is_the_same_of_numbers_of_every_type():
    x, phi = [90, 91, 92], [95, 80, 96]
    expected = paired_diff(np.array(x, float), np.array(phi, float), 50.0)
    for kind in ("u1", "i1", "u8", "f2", object):
        lost, half, by = paired_diff(np.array(x, kind), np.array(phi, kind), 50)
        np.testing.assert_allclose([lost, half, *by], [*expected[:2], *expected[2]])
        one = (np.array(value, kind)[()] for value in (90, 95, 50))
        assert diff(*one) == -12.5, kind
    right, wrong = np.array([True, True]), np.array([False, True])
    np.testing.assert_allclose(paired_diff(right, wrong, 0)[2], [100, 0])

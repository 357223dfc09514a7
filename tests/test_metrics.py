"""Numbers that every room means by the same name."""

import numpy as np
from sklearn.metrics import recall_score

from blindlib.metrics import balanced_accuracy, interval, people_needed


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

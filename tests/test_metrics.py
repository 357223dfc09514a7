"""Numbers that every room means by the same name."""

import numpy as np

from blindlib.metrics import interval, people_needed


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

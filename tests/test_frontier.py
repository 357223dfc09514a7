"""The frontier: every method in float and in few bits, under the selected probe; which one to take."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from blindlib.appendix.frontier import advice, frontier_points, released
from blindlib.appendix.synthetic_leaks import Leak, plant
from blindlib.blinders import LEACE, Representation
from blindlib.data.splits import Split

FRONTIER = {
    ("x", 0.0, "float"): (90, 80),
    ("x", 0.0, "6"): (90, 79),
    ("SN", 1.0, "float"): (90, 70),
    ("SN", 1.0, "6"): (90, 50),
    ("SN", 9.0, "6"): (70, 20),
    ("LEACE", 0.0, "6"): (89, 70),
}


def rows_of(cells):
    """Result rows of verification and emotion: five rotations a point apart, chance 50 and 20."""
    keys = ("method", "strength", "bits")
    rows = [
        dict(zip(keys, key, strict=True)) | {"task": task, "rotation": k, "value": value + k - 2, "chance": chance}
        for key, values in cells.items()
        for (task, chance), value in zip((("ID", 50), ("emotion", 20)), values, strict=True)
        for k in range(5)
    ]
    same = {"metric": "balanced_accuracy", "seed": 0, "n_train_subjects": 9, "n_test_subjects": 9, "n_test": 9}
    return pd.DataFrame(rows).assign(**same)


def test_every_method_strength_and_number_of_bits_is_a_point():
    points = frontier_points(rows_of(FRONTIER)).set_index(["method", "strength", "bits"])
    assert set(points.index) == set(FRONTIER)
    assert points.loc[("SN", 9.0, "6"), ["id", "emotion", "chance"]].tolist() == [70, 20, 20]
    assert points.notna().all(axis=None) and frontier_points(rows_of(FRONTIER).query("task == 'ID'")).empty


def test_the_advice_names_what_hides_best_within_the_tolerance_and_what_does_not_differ_from_it():
    text = advice(frontier_points(rows_of(FRONTIER)), 3.0)
    assert text.startswith("Among methods that lose at most 3 % of identity, SN λ=1, in 6 bits hides emotion best")
    assert "with 50.0 ± 2.0 % (x 80.0, chance 20.0), for 0.0 % of identity." in text and "distinguishable" not in text
    close = frontier_points(rows_of(FRONTIER | {("LEACE", 0.0, "6"): (89, 51)}))
    assert advice(close, 3.0).endswith("Not distinguishable from it: LEACE.")
    assert "SN λ=9, in 6 bits" in advice(close, 60.0)
    assert advice(close[close["method"] == "x"], 3.0) == "No method loses at most 3 % of identity."


def test_what_is_released_is_as_the_method_s_own_bits_give_it():
    x, emotion, _ = plant(Leak("linear", 4.0), 60, dim=32)
    head, rest = np.arange(300), np.arange(300, 600)
    study = SimpleNamespace(splits=[Split(0, 0, head, rest, rest, rest)])
    own = LEACE(bits=6).fit(x[head], emotion[head]).transform(x)
    leace = LEACE().fit(x[head], emotion[head])
    z = released(Representation.of("LEACE", leace.transform(x)), study, 6)
    assert z.name == "LEACE 6 bits" and z.bits == 6
    step = np.unique(own)[1] - np.unique(own)[0]
    apart = np.abs(z.rows(0, np.arange(600)) - own)
    assert apart.max() <= 1.01 * step and (apart > step / 2).mean() < 1e-3, "but for ties"
    assert released(z, study, None) is z
    with pytest.raises(ValueError, match="heads"):
        z.rows(1, rest)

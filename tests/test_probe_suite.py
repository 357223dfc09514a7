"""The probe suite: each kind predicts what it can, more subjects predict more, validation subjects select."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from blindlib.appendix.probe_suite import ALL, KINDS, run_suite, suite_cells
from blindlib.appendix.protocol_a import probe_as_published
from blindlib.blinders import Representation
from blindlib.data.splits import Split
from blindlib.evaluate.probes import PROBES, Task

SUBJECTS, IMAGES = 200, 6
WHO = np.repeat(np.arange(SUBJECTS), IMAGES)
CODES = np.tile(np.arange(IMAGES) % 2, SUBJECTS)
TASK = Task("emotion", CODES, ["a", "b"])


def world(kind):
    """200 subjects of six images, half of either class: told by a mean, by the sign of a product, or not at all."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(len(WHO), 12))
    if kind == "mean":
        x[:, 0] += 1.5 * (2 * CODES - 1)
    elif kind == "product":
        first = rng.choice([-1, 1], len(x))
        x[:, :2] += 2.5 * np.stack([first, first * (2 * CODES - 1)], 1)
    return x.astype(np.float32)


def split_of():
    parts = np.split(np.random.default_rng(0).permutation(SUBJECTS), (10, 40, 140))
    rows = [np.flatnonzero(np.isin(WHO, part)) for part in parts]
    return Split(0, 0, head=rows[0], validation=rows[1], probe=rows[2], test=rows[3])


def suite(x, split=None, **options):
    return pd.DataFrame(run_suite(Representation.of("x", x), TASK, [split or split_of()], WHO, **options))


NAMES = {*KINDS, *(f"{kind} whitened" for kind in KINDS)}


def test_all_kinds_predict_a_mean_all_but_the_linear_a_product_and_none_invents_anything():
    values = {kind: suite(world(kind)).set_index("probe") for kind in ("mean", "product", "none")}
    for rows in values.values():
        assert set(rows.index) == {*NAMES, "selected"} and set(rows["n_train_subjects"]) == {100}
        assert set(rows["n_test_subjects"]) == {60} and set(rows["chance"]) == {50.0}
    assert values["mean"]["balanced_accuracy"].min() > 75
    product, linear = values["product"]["balanced_accuracy"], ["linear", "linear whitened"]
    assert product[linear].max() < 60 and product.drop(linear).min() > 60
    assert values["none"]["balanced_accuracy"].sub(50).abs().max() < 10, "360 images: a standard error of 2.6"


def test_what_is_shrunk_to_tiny_variance_is_found_by_the_whitened_view():
    """By a rotation, so that no column's own scale shows it. An SVM of old defaults calls the same chance."""
    x = world("mean")
    x[:, 0] *= 1e-3
    x = (x @ np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0]).astype(np.float32)
    rows = suite(x, kinds=("linear", "SVM")).set_index("probe")["balanced_accuracy"]
    assert rows["SVM"] < 60 and rows["SVM whitened"] > 85 and rows["selected"] > 85
    split = split_of()
    old = SVC(gamma="auto").fit(x[split.probe], CODES[split.probe])
    assert abs(100 * old.score(x[split.test], CODES[split.test]) - 50) < 9


def test_more_subjects_predict_more_and_cells_carry_their_number():
    rows = run_suite(
        Representation.of("x", world("product")), TASK, [split_of()], WHO, kinds=("SVM",), subjects=(2, 4, 20, ALL)
    )
    cells = suite_cells(rows, Representation.of("x", world("product")))
    curve = cells[cells["probe"] == "selected"].set_index("subjects")["mean"]
    assert list(curve.index.sort_values()) == [4, 20, 100], "two subjects have too few images"
    assert curve[4] < curve[20] - 5 < curve[100] - 8


def test_the_selected_probe_is_selected_on_validation_subjects_and_not_on_those_tested():
    """Test images are copies of odd training rows: nearest neighbours are right, the mean is wrong. For validation
    subjects, far away in all that tells nothing, neighbours are wrong and the mean is right."""
    split, x = split_of(), world("none")
    x[:, 0] += 4.0 * (2 * CODES - 1)
    x[split.validation, 1:] *= 12
    odd = split.probe[::7]
    x[odd, 0] *= -1
    for code in (0, 1):
        tested = split.test[CODES[split.test] == code]
        x[tested] = x[np.resize(odd[CODES[odd] == code], len(tested))]
    values = suite(x, split, kinds=("kNN", "linear")).set_index("probe")["balanced_accuracy"]
    assert values["selected"] == values["linear"] < values["kNN"], "selected on test subjects it would be the other"


def test_where_nothing_leaks_the_selected_probe_alarms_as_seldom_as_its_level_says():
    """360 test images: chance is exceeded by 1.96 standard errors in one world of 40 by luck."""
    limit, alarms = 50 + 1.96 * 100 * np.sqrt(0.25 / 360), 0
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(len(WHO), 8)).astype(np.float32)
        rows = suite(x, replace(split_of(), seed=seed), kinds=("linear", "kNN")).set_index("probe")
        alarms += rows.loc["selected", "balanced_accuracy"] > limit
    assert alarms <= 3


def test_fewer_subjects_than_features_train_every_kind():
    x = np.hstack([np.random.default_rng(0).normal(size=(len(WHO), 90)), 3.0 * CODES[:, None]]).astype(np.float32)
    rows = suite(x, subjects=(10,))
    assert set(rows["probe"]) == {*NAMES, "selected"} and set(rows["n_train_subjects"]) == {10}


@pytest.mark.parametrize("kind, low, high", [("mean", 80, 100), ("none", 40, 60)])
def test_protocol_a_predicts_a_mean_and_nothing_where_there_is_nothing(kind, low, high):
    rows = pd.DataFrame(probe_as_published(Representation.of("x", world(kind)), TASK, [split_of()], WHO))
    assert list(rows["probe"]) == list(PROBES) and set(rows["protocol"]) == {"A"}
    assert rows["balanced_accuracy"].between(low, high).all()

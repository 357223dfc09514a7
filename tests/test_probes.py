"""Probes: chance on noise, near 100 on what is plain, subject-disjoint, and whitening finds what was shrunk."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from blindlib.blinders.representation import Representation
from blindlib.data.splits import Split
from blindlib.evaluate.measure import EMOTION_PROBES
from blindlib.evaluate.probes import SELECTED, VIEWS, Task, run_probes
from blindlib.metrics import balanced_accuracy
from blindlib.settings import ProbeSettings

SETTINGS = ProbeSettings(
    nn_hidden=(16, 8), nn_steps=480, nn_rate=1e-2, nn_decay=0.1, rf_trees=60, rf_leaf=(1, 5), rf_features=0.3
)
SVM = (("SVM", "standardised"),)


def world(signal, n=600, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, n)
    codes[:20] = -1
    x = rng.normal(size=(n, 8)).astype(np.float32)
    x[:, 0] += signal * codes
    parts = np.array_split(rng.permutation(n), 4)
    splits = [Split(0, 0, *parts), Split(1, 0, *parts[::-1])]
    return x, Task("emotion", codes, list("abc")[:classes]), splits, np.arange(n)


def probe(x, task, splits, identity, probes=EMOTION_PROBES):
    z = x if isinstance(x, Representation) else Representation.of("x", x)
    return run_probes(z, task, splits, SETTINGS, probes=probes, identity=identity)


def test_every_probe_predicts_a_plain_signal_and_none_predicts_noise():
    rows = probe(*world(6.0))
    assert {row["probe"] for row in rows} == {
        *("NN", "SVM", "linear", "RF", SELECTED),
        *("NN whitened", "SVM whitened", "linear whitened"),
    }
    assert len(rows) == 16 and min(row["balanced_accuracy"] for row in rows) > 88
    assert all(abs(row["balanced_accuracy"] - 100 / 3) < 10 for row in probe(*world(0.0)))


def test_the_whitened_view_finds_what_was_shrunk_between_correlated_columns():
    """The signal stands along a direction of tiny variance that no column shows alone."""
    x, task, splits, identity = world(6.0)
    turned = x * np.array([1e-3, 1, 1, 1, 1, 1, 1, 1], np.float32)
    turned = turned @ np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0].astype(np.float32)
    rows = {(row["probe"], row["rotation"]): row["balanced_accuracy"] for row in probe(turned, task, splits, identity)}
    assert max(rows[name, 0] for name in ("NN", "SVM", "RF")) < 50
    assert min(rows[name, 0] for name in ("NN whitened", "SVM whitened", SELECTED)) > 85


def test_views_are_fitted_on_training_subjects():
    train = np.random.default_rng(0).normal(size=(500, 4)) @ np.random.default_rng(1).normal(size=(4, 4)) + 3
    train = train.astype(np.float32)
    standardised, whitened = (see(train)(train) for see in VIEWS.values())
    np.testing.assert_allclose(standardised, StandardScaler().fit_transform(train), atol=1e-4)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=0.05)


def test_rows_carry_chance_and_counts_of_labelled_subjects():
    x, task, splits, identity = world(1.0)
    row = probe(x, task, splits, identity // 2, SVM)[0]
    test = splits[0].test[task.codes[splits[0].test] >= 0]
    assert row["chance"] == pytest.approx(100 / 3) and row["n_test"] == len(test)
    assert row["n_test_subjects"] == len(np.unique(test // 2))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("SVM", SVC(C=10.0, class_weight="balanced")),
        ("linear", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
    ],
)
def test_svm_and_linear_answer_as_scikit_learn_s(kind, model):
    x, task, splits, identity = world(0.7)
    row = probe(x, task, splits, identity, ((kind, "standardised"),))[0]
    train, test = (part[task.codes[part] >= 0] for part in (splits[0].probe, splits[0].test))
    see = VIEWS["standardised"](x[train])
    guess = model.fit(see(x[train]), task.codes[train]).predict(see(x[test]))
    assert row["balanced_accuracy"] == pytest.approx(100 * balanced_accuracy_score(task.codes[test], guess), abs=1.5)
    assert row["top_share"] == pytest.approx(100 * np.bincount(guess).max() / len(guess), abs=1.5)


def test_probes_take_each_split_s_own_features_and_a_collapsed_probe_shows():
    x, task, splits, identity = world(6.0)
    heads = [x, np.zeros_like(x)]
    both = Representation("φ", lambda split, rows: heads[split][rows], "SN", splits=2)
    for row in probe(both, task, splits, identity):
        dead = row["rotation"] == 1
        assert row["balanced_accuracy"] == pytest.approx(100 / 3) if dead else row["balanced_accuracy"] > 88
        assert not dead or row["top_share"] == 100


def test_another_number_of_heads_than_splits_is_refused():
    x, task, splits, identity = world(1.0)
    three = Representation("φ", lambda _, rows: x[rows], "SN", splits=3)
    with pytest.raises(ValueError, match="3 heads for 2 splits"):
        probe(three, task, splits, identity)


def test_test_subjects_teach_a_probe_nothing():
    x, task, splits, identity = world(1.0)
    other = Task("emotion", task.codes.copy(), task.classes)
    tested = splits[0].test[task.codes[splits[0].test] >= 0]
    other.codes[tested] = np.random.default_rng(9).permutation(other.codes[tested])
    moved = x.copy()
    moved[splits[0].head] += 50
    for a, b in zip(probe(x, task, splits[:1], identity), probe(moved, other, splits[:1], identity), strict=True):
        assert a["top_share"] == b["top_share"], "no guess depends on test labels or on head subjects"


def test_the_selected_probe_is_the_one_that_predicts_validation_subjects_best():
    """Of SVM and linear, only the SVM predicts the sign of a product."""
    x, task, splits, identity = world(0.0)
    codes = np.where(task.codes < 0, -1, (x[:, 0] * x[:, 1] > 0).astype(int))
    rows = probe(x, Task("emotion", codes, ["a", "b"]), splits, identity, (*SVM, ("linear", "standardised")))
    by = {(row["probe"], row["rotation"]): row["balanced_accuracy"] for row in rows}
    assert all(by[SELECTED, r] == by["SVM", r] > by["linear", r] + 15 for r in (0, 1))


def test_balanced_accuracy_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, 99), rng.integers(0, 4, 99)
    assert balanced_accuracy(truth, guess) == pytest.approx(100 * balanced_accuracy_score(truth, guess))

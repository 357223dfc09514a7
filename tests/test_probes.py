"""Probes: chance on noise, near 100 on what is plain, subject-disjoint, and a collapsed probe is seen."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from blindlib.blinders.representation import Representation
from blindlib.data.splits import Split
from blindlib.evaluate import probes, support_vectors
from blindlib.evaluate.probes import Task, run_probes
from blindlib.metrics import balanced_accuracy
from blindlib.settings import ProbeSettings

SETTINGS = ProbeSettings(nn_hidden=(16, (16, 8)), nn_epochs=300, svm_c=(0.3, 3.0), rf_trees=60, rf_leaf=(1, 5))


def world(signal, n=600, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, n)
    codes[:20] = -1
    x = rng.normal(size=(n, 8)).astype(np.float32)
    x[:, 0] += signal * codes
    parts = np.array_split(rng.permutation(n), 4)
    splits = [Split(0, 0, *parts), Split(1, 0, *parts[::-1])]
    return x, Task("emotion", codes, list("abc")[:classes]), splits, np.arange(n)


def scores(signal, **options):
    x, task, splits, identity = world(signal, **options)
    rows = run_probes(Representation.of("x", x), task, splits, SETTINGS, identity=identity)
    return {(r["probe"], r["protocol"]): r["balanced_accuracy"] for r in rows}, rows


def test_plain_signal_is_read_by_every_probe_under_both_protocols():
    got, rows = scores(6.0)
    assert len(got) == 6 and len(rows) == 12
    assert got.pop(("NN", "A")) > 60, "ten sigmoid units at their default rate learn slowly"
    assert min(got.values()) > 88


def test_noise_is_read_by_none_except_a_little_by_the_network_that_peeks():
    got, _ = scores(0.0)
    assert all(abs(value - 100 / 3) < 10 for (_, protocol), value in got.items() if protocol == "B")


def test_rows_carry_chance_and_counts_of_labelled_people():
    x, task, splits, identity = world(1.0)
    row = run_probes(
        Representation.of("x", x), task, splits, SETTINGS, kinds=("SVM",), protocols="B", identity=identity // 2
    )[0]
    test = splits[0].test[task.codes[splits[0].test] >= 0]
    assert row["chance"] == pytest.approx(100 / 3) and row["n_test"] == len(test)
    assert row["n_test_subjects"] == len(np.unique(test // 2))


@pytest.mark.parametrize(
    ("kind", "model"), [("SVM", SVC()), ("RF", RandomForestClassifier(max_depth=1000, random_state=0))]
)
def test_protocol_a_is_the_public_code_s_defaults(kind, model):
    x, task, splits, identity = world(0.7)
    row = run_probes(
        Representation.of("x", x), task, splits, SETTINGS, kinds=(kind,), protocols="A", identity=identity
    )[0]
    train, test = (part[task.codes[part] >= 0] for part in (splits[0].probe, splits[0].test))
    guess = model.fit(x[train], task.codes[train]).predict(x[test])
    assert row["balanced_accuracy"] == pytest.approx(100 * balanced_accuracy_score(task.codes[test], guess))
    assert row["top_share"] == pytest.approx(100 * np.bincount(guess).max() / len(guess))


def test_probes_take_each_split_s_own_features():
    x, task, splits, identity = world(6.0)
    heads = [x, np.zeros_like(x)]
    both = Representation("φ", lambda split, rows: heads[split][rows], "SN", splits=2)
    rows = run_probes(both, task, splits, SETTINGS, protocols="B", identity=identity)
    for row in rows:
        assert (
            row["balanced_accuracy"] > 88
            if row["rotation"] == 0
            else row["balanced_accuracy"] == pytest.approx(100 / 3)
        )
        assert row["rotation"] == 0 or row["top_share"] == 100, "a dead representation shows as a collapsed probe"


def test_another_number_of_heads_than_splits_is_refused():
    x, task, splits, identity = world(1.0)
    three = Representation("φ", lambda _, rows: x[rows], "SN", splits=3)
    with pytest.raises(ValueError, match="3 heads for 2 splits"):
        run_probes(three, task, splits, SETTINGS, identity=identity)


def test_test_people_teach_nothing_to_protocol_b():
    x, task, splits, identity = world(1.0)
    other = Task("emotion", task.codes.copy(), task.classes)
    tested = splits[0].test[task.codes[splits[0].test] >= 0]
    other.codes[tested] = np.random.default_rng(9).permutation(other.codes[tested])
    moved = x.copy()
    moved[splits[0].head] += 50
    for kind in ("NN", "SVM", "RF"):
        a, b = (
            run_probes(
                Representation.of("x", z), t, splits[:1], SETTINGS, kinds=(kind,), protocols="B", identity=identity
            )[0]
            for z, t in ((x, task), (moved, other))
        )
        assert a["top_share"] == b["top_share"], "the guesses are the same whatever the test labels and head people are"


def test_balanced_accuracy_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, 99), rng.integers(0, 4, 99)
    assert balanced_accuracy(truth, guess) == pytest.approx(100 * balanced_accuracy_score(truth, guess))


def test_a_split_stops_by_keras_rule_whatever_the_others_do():
    """Slow oracle: `patience` epochs in a row that are no better than the best before them end a run."""
    scores = np.random.default_rng(3).integers(0, 30, (60, 4)).astype(float)
    stopping = probes._Stopping(4, patience=5)
    better = np.array([stopping.look(now) for now in scores])
    for split, column in enumerate(scores.T):
        best, waited, expected = -np.inf, 0, []
        for score in column:
            expected.append(waited < 5 and score > best)
            waited = 0 if expected[-1] else waited + 1 if waited < 5 else waited
            best = max(best, score) if expected[-1] else best
        assert better[:, split].tolist() == expected and stopping.best[split] == best
        assert stopping.running[split] == (waited < 5)
    assert not stopping.running.all(), "the example stops some"


def test_protocol_a_s_network_stops_by_itself_and_is_scored_as_it_stands(monkeypatch):
    """On noise the test loss soon rises: a higher ceiling trains no longer and changes no guess."""
    x, task, splits, _ = world(0.0)
    splits = [probes._move(split, lambda rows: rows[task.codes[rows] >= 0]) for split in splits]
    seen = []
    monkeypatch.setattr(probes._Stopping, "look", _recorded(probes._Stopping.look, seen))
    bank = (torch.tensor(x)[None], task, splits)
    once = probes._as_published(*bank, 600)
    losses, last = -np.array(seen), len(seen)
    assert last < 600, "it stopped"
    stops = [int(np.flatnonzero(_unhelped(column) >= 10)[0]) for column in losses.T]
    assert max(stops) == last - 1 and min(stops) < max(stops)
    again = probes._as_published(*bank, 900)
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    cuts = [probes._as_published(*bank, stop + 1)[s] for s, stop in enumerate(stops)]
    assert all((a == b).all() for a, b in zip(once, cuts, strict=True))
    best = [probes._as_published(*bank, stop - 9)[s] for s, stop in enumerate(stops)]
    assert any((a != b).any() for a, b in zip(once, best, strict=True)), (
        "the weights of the best epoch do not come back"
    )


def _recorded(look, seen):
    def wrapped(self, scores):
        seen.append(scores)
        return look(self, scores)

    return wrapped


def _unhelped(losses: np.ndarray) -> np.ndarray:
    """After every epoch, how many there have been since the smallest loss so far."""
    return np.array([n - int(np.argmin(losses[: n + 1])) for n in range(len(losses))])


def test_two_hidden_layers_are_a_shape_like_any_other():
    x, task, splits, identity = world(6.0)
    deep = dataclasses.replace(SETTINGS, nn_hidden=((16, 8),))
    rows = run_probes(Representation.of("x", x), task, splits, deep, kinds=("NN",), protocols="B", identity=identity)
    assert min(row["balanced_accuracy"] for row in rows) > 88


@pytest.mark.parametrize("most", [12_000, 10], ids=["one product", "pair by pair"])
def test_the_svm_by_one_matrix_product_answers_as_scikit_learn_s(monkeypatch, most):
    monkeypatch.setattr(support_vectors, "_MOST", most)
    monkeypatch.setattr(support_vectors, "_BLOCK", 50)
    x, task, splits, _ = world(0.7)
    train, test = (part[task.codes[part] >= 0] for part in (splits[0].probe, splits[0].test))
    fast, plain = (
        model(C=10.0, class_weight="balanced").fit(x[train], task.codes[train])
        for model in (support_vectors.SupportVectors, SVC)
    )
    assert callable(fast.kernel) == (most > len(train)) and len(test) > 50
    np.testing.assert_allclose(fast.decision_function(x[test]), plain.decision_function(x[test]), atol=1e-5)
    np.testing.assert_array_equal(fast.predict(x[test]), plain.predict(x[test]))
    flat = np.ones((4, 3))
    assert np.isfinite(support_vectors.SupportVectors().fit(flat, [0, 1, 0, 1]).decision_function(flat)).all()

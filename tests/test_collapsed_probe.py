"""The SVM that answers one class: an artefact of gamma="auto", made by a missing image in five classes."""

import numpy as np
import pytest

from blindlib.blinders import Representation
from blindlib.data.splits import Split
from blindlib.evaluate.collapsed_probe import collapsed_probe
from blindlib.evaluate.probes import Task


@pytest.fixture(scope="module")
def read():
    """Unit-norm features of 64 dimensions from which a linear attacker reads three classes without fail."""
    rng = np.random.default_rng(0)
    codes = np.arange(600) % 3
    x = rng.normal(size=(600, 64)) + 4 * np.eye(64)[codes]
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    rows = np.arange(600)
    split = Split(0, 0, head=rows[:0], validation=rows[:0], probe=rows[:300], test=rows[300:])
    task = Task("emotion", codes, ["a", "b", "c"])
    return collapsed_probe(Representation.of("x", x), task, [split], each=60, norms=(0.01, 1.0, 16.0))


def of(read, gamma, classes, norm):
    return read.set_index(["gamma", "classes", "norm"]).loc[(gamma, classes, norm)]


def test_an_image_fewer_in_all_classes_but_one_makes_the_old_default_answer_that_class_for_everybody(read):
    row = of(read, "auto", "one fewer", 0.01)
    assert row["value"] == pytest.approx(100 / 3) and row["top_share"] == 100 and row["n_train"] == 178
    assert of(read, "auto", "equal", 0.01)["top_share"] < 50


def test_the_same_features_are_read_by_the_new_default_at_any_norm_and_by_the_old_at_a_larger_one(read):
    new = read[read["gamma"] == "scale"]
    assert (new["value"] > 90).all() and new.groupby("classes")["value"].nunique().eq(1).all()
    assert of(read, "auto", "one fewer", 16.0)["value"] > 90

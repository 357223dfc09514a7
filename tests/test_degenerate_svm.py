"""The SVM that predicts one class: an artefact of gamma="auto", made by a missing image in all classes but one."""

import numpy as np
import pytest

from blindlib.appendix.degenerate_svm import degenerate_svm
from blindlib.blinders import Representation
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task


@pytest.fixture(scope="module")
def cells():
    """Unit-norm features of 64 dimensions that a linear probe tells into three classes without fail."""
    rng = np.random.default_rng(0)
    codes = np.arange(600) % 3
    x = rng.normal(size=(600, 64)) + 4 * np.eye(64)[codes]
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    rows = np.arange(600)
    split = Split(0, 0, head=rows[:0], validation=rows[:0], probe=rows[:300], test=rows[300:])
    task = Task("emotion", codes, ["a", "b", "c"])
    return degenerate_svm(Representation.of("x", x), task, [split], each=60, norms=(0.01, 1.0, 16.0))


def of(cells, gamma, classes, norm):
    return cells.set_index(["gamma", "classes", "norm"]).loc[(gamma, classes, norm)]


def test_an_image_fewer_in_all_classes_but_one_makes_the_old_default_predict_that_class_always(cells):
    row = of(cells, "auto", "one fewer", 0.01)
    assert row["value"] == pytest.approx(100 / 3) and row["top_share"] == 100 and row["n_train"] == 178
    assert of(cells, "auto", "equal", 0.01)["top_share"] < 50


def test_the_new_default_predicts_at_any_norm_and_the_old_at_a_larger_one(cells):
    new = cells[cells["gamma"] == "scale"]
    assert (new["value"] > 90).all() and new.groupby("classes")["value"].nunique().eq(1).all()
    assert of(cells, "auto", "one fewer", 16.0)["value"] > 90

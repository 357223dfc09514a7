"""The inverting attacker: it undoes a linear φ, and does not bring back what rounding has removed."""

import numpy as np
import pytest

from blindlib.appendix.inversion import invert
from blindlib.blinders import Representation
from blindlib.blinders.rounding import from_integers, to_integers
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task

WHO = np.repeat(np.arange(150), 6)
CODES = np.tile(np.arange(6) % 2, 150)
SPLIT = Split(0, 0, *(np.flatnonzero(np.isin(WHO, part)) for part in np.split(np.arange(150), (50, 70, 110))))


@pytest.fixture(scope="module")
def rows():
    """φ turns x and shrinks the direction of the classes and seven others by 1e-3; then the same in 4 bits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 16))
    x[:, 0] += 2.0 * (2 * CODES - 1)
    turn = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    phi = (x * np.where(np.arange(16) < 8, 1e-3, 1.0)) @ turn
    peak, x = float(np.abs(phi).max()), x.astype(np.float32)
    task, found = Task("emotion", CODES, ["a", "b"]), {}
    for bits in (None, 4):
        z = phi.astype(np.float32) if bits is None else from_integers(to_integers(phi, peak, bits), peak, bits)
        found[bits] = invert(Representation.of("φ", z), x, task, [SPLIT], WHO, steps=150)[0]
    return found


def test_a_linear_map_is_inverted_and_the_attribute_comes_back(rows):
    assert rows[None]["r2"] > 0.99 and rows[None]["balanced_accuracy"] > 90
    assert rows[None]["n_test_subjects"] == 40 and rows[None]["probe"] == "inversion"


def test_what_rounding_removed_does_not_come_back(rows):
    assert rows[4]["r2"] < 0.6 and abs(rows[4]["balanced_accuracy"] - 50) < 12

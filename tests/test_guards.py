"""Guards of the whole: hidden means removed, no probe invents a leak, and rounding alone hides nothing."""

import numpy as np
import pandas as pd
import pytest

from blindlib.appendix.synthetic_leaks import CHANCE, Leak, ShrinkingEraser, attack, calibrate, plant
from blindlib.blinders import LNTL, Representation, SensitiveNets
from blindlib.blinders.rounding import on_grid
from blindlib.data.splits import Split
from blindlib.evaluate.probes import ATTACKERS, SELECTED, VIEWS, Task, run_probes
from blindlib.settings import ProbeSettings, SensitiveNetsSettings

MOST = 45.0  # percent that an attacker may predict of what is released; chance is 20
HEAD, PROBE, TEST = (np.arange(3000) // 1000 == part for part in range(3))  # 100 subjects of ten rows each


@pytest.fixture(scope="module")
def world():
    return plant(Leak("linear", 4.0), 300, dim=64)


def attacked(z, emotion):
    """Accuracy by attacker and view, trained on 100 subjects and tested on 100 others."""
    return pd.DataFrame(attack(z, emotion, PROBE, TEST)).set_index(["reading", "view"])["value"]


def in_six_bits(z):
    return on_grid(z, float(np.abs(z[HEAD]).max()), 6)


def test_a_shrinking_eraser_is_seen_through_in_float_and_hides_in_six_bits(world):
    x, emotion, identity = world
    z = ShrinkingEraser().fit(x[HEAD], emotion[HEAD], identity=identity[HEAD]).transform(x)
    before, after, released = (attacked(v, emotion).unstack() for v in (x, z, in_six_bits(z)))
    assert after["standardised"].max() < 30, "standardised features hide it"
    assert (before["whitened"] - after["whitened"]).abs().max() < 3, "whitened ones do not"
    assert released.max(axis=None) < 30
    own = ShrinkingEraser(bits=6).fit(x[HEAD], emotion[HEAD]).transform(x)
    assert attacked(own, emotion).max() < 30, "the same by its own parameter"


def test_rounding_alone_hides_nothing(world):
    x, emotion, _ = world
    assert (attacked(x, emotion) - attacked(in_six_bits(x), emotion)).abs().max() < 5


def test_probes_of_shuffled_labels_predict_at_chance(world):
    x, emotion, identity = world
    codes = np.random.default_rng(0).permutation(emotion)
    assert (attacked(x, codes) - CHANCE).abs().max() < 5
    rows = np.arange(len(x))
    split = Split(0, 0, head=rows[:0], validation=rows[:1000], probe=rows[1000:2000], test=rows[2000:])
    options = {"probes": tuple((kind, view) for view in VIEWS for kind in ATTACKERS), "identity": identity}
    settings = ProbeSettings(nn_hidden=(16,), nn_steps=80)
    found = run_probes(Representation.of("x", x), Task("emotion", codes, [*"abcde"]), [split], settings, **options)
    found = pd.DataFrame(found).set_index("probe")["balanced_accuracy"]
    assert SELECTED in found.index and (found - CHANCE).abs().max() < 5


def test_sensitivenets_released_hides_weak_and_strong_leaks_and_invents_none():
    settings = SensitiveNetsSettings(rounds=4, patience=4)
    leaks = (Leak("linear", 1.0), Leak("linear", 8.0), Leak("none"))
    table = calibrate([SensitiveNets(1.0, settings=settings)], leaks, dim=64, erasers=())
    attacks = table[table["view"] != ""].set_index(["method", "bits", "leak"])["value"].sort_index()
    assert attacks["x", "float", "linear"].max() > 90
    assert attacks["SN", "6", "linear"].max() <= MOST
    assert (attacks.xs("none", level="leak") - CHANCE).abs().max() < 5
    identity = table[table["reading"] == "identity"].groupby("method")["value"].min()
    assert identity["SN"] > identity["x"] - 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SensitiveNets, LNTL])
def test_the_defaults_hide_one_strong_direction_a_class(kind):
    x, emotion, identity = plant(Leak("linear", 8.0), 300, dim=512)
    z = kind().fit(x[HEAD], emotion[HEAD], identity=identity[HEAD]).transform(x)
    assert attacked(x, emotion).max() > 90 and attacked(z, emotion).max() <= MOST

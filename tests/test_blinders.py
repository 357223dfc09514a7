"""The blinders' face: emotion readable before, less after, identity kept; saved, loaded, refused."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from blindlib.blinders.estimators import BLINDERS, LEACE, LNTL, SensitiveNets, load_arrays
from blindlib.blinders.validation import balanced_accuracy
from blindlib.common.errors import InputError
from blindlib.settings import LNTLConfig, SensitiveNetsConfig

SN = SensitiveNetsConfig(
    hidden=32, rounds=6, head_steps=50, detector_steps=60, detector=(16,), identities=16, rate=1e-3
)
LN = LNTLConfig(hidden=32, rounds=6, head_steps=50, predictor=(16,), identities=16, rate=1e-3)


@pytest.fixture(scope="module")
def world():
    """400 people of 4 images in 24 dimensions: identity in all of them, happiness along three (also as a curve)."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(400), 4)
    happy = np.tile([0, 1], 800)
    x = rng.normal(size=(400, 24))[who] + 0.35 * rng.normal(size=(1600, 24))
    x[:, 0] += 1.6 * happy
    x[:, 1] += 1.2 * (2 * happy - 1) * (x[:, 2] > 0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    train = who < 200
    return x.astype(np.float32), who.astype(str), np.where(happy, "happiness", "neutral"), train


def read_emotion(z, emotion, train):
    """A fresh SVM: trained on people 200 to 300, tested on the rest of those whom no head has seen."""
    unseen = np.flatnonzero(~train)
    a, b = unseen[:400], unseen[400:]
    scaled = (z - z[a].mean(0)) / z[a].std(0)
    return balanced_accuracy(emotion[b], SVC().fit(scaled[a], emotion[a]).predict(scaled[b]))


def verify(z, who, train):
    """Share of unseen images whose nearest other image is of the same person."""
    z, who = z[~train], who[~train]
    distance = np.linalg.norm(z[:, None] - z[None], axis=2) + 9 * np.eye(len(z))
    return 100 * np.mean(who[distance.argmin(1)] == who)


def fit(name, world, strength=1.0, seed=0):
    x, who, emotion, train = world
    if name == "LEACE":
        return LEACE().fit(x[train], who[train], emotion[train])
    kind, config = {"SN": (SensitiveNets, SN), "LNTL": (LNTL, LN)}[name]
    return kind(strength, config=config, seed=seed, device="cpu").fit(x[train], who[train], emotion[train])


@pytest.mark.parametrize(("name", "strength", "drop"), [("SN", 3.0, 8), ("LNTL", 3.0, 8), ("LEACE", 1.0, 8)])
def test_emotion_is_readable_before_and_less_after_and_identity_stays(world, name, strength, drop):
    x, who, emotion, train = world
    before, z = read_emotion(x, emotion, train), fit(name, world, strength).transform(x)
    assert before > 75, "the guard needs something to hide"
    assert read_emotion(z, emotion, train) < before - drop
    assert verify(z, who, train) > verify(x, who, train) - 6
    assert z.shape == x.shape and z.dtype == np.float32


def test_without_its_penalty_a_head_hides_nothing_and_costs_nothing(world):
    x, who, emotion, train = world
    z = fit("SN", world, 0.0).transform(x)
    assert abs(read_emotion(z, emotion, train) - read_emotion(x, emotion, train)) < 5
    assert verify(z, who, train) > verify(x, who, train) - 2


@pytest.mark.parametrize("name", list(BLINDERS))
def test_saved_and_loaded_it_is_the_same_map(world, tmp_path, name):
    blinder = fit(name, world)
    blinder.save(tmp_path / "head")
    np.testing.assert_array_equal(
        BLINDERS[name].load(tmp_path / "head").transform(world[0]), blinder.transform(world[0])
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(world, tmp_path):
    files = [fit("SN", world, seed=s).save(tmp_path / f"{n}").read_bytes() for n, s in enumerate((0, 0, 1))]
    assert files[0] == files[1] != files[2]


def test_history_keeps_losses_detector_and_fresh_probe_by_round(world):
    x, who, emotion, _train = world
    held = np.isin(who, [str(p) for p in range(200, 300)])
    for kind, config, loss in ((SensitiveNets, SN, "penalty"), (LNTL, LN, "entropy")):
        config = dataclasses.replace(config, rounds=2)
        blinder = kind(1.0, config=config, device="cpu").fit(x, who, emotion, validation=held)
        assert [row["round"] for row in blinder.history] == [0, 1, 2]
        assert {loss, "detector", "emotion", "identity"} <= set(blinder.history[-1])
        assert blinder.history[0]["emotion"] > 60


def test_lntl_serves_demographics_where_they_are_given(world):
    x, who, emotion, _train = world
    groups = np.array(["a", "b", "c"])[who.astype(int) % 3]
    blinder = LNTL(0.3, config=dataclasses.replace(LN, rounds=1), device="cpu").fit(x, who, emotion, demographic=groups)
    assert blinder.task == "demographic" and blinder.transform(x).shape == x.shape


def test_weights_of_the_wrong_shape_are_refused_with_the_file_s_name(world, tmp_path):
    path = fit("SN", world).save(tmp_path / "head")
    arrays, _ = load_arrays(path)
    save_file({**arrays, "up": torch.zeros(1, 5, 5)}, path)
    with pytest.raises(InputError, match=r"head\.safetensors: weights of the wrong shape"):
        SensitiveNets.load(tmp_path / "head")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.write_bytes(b"x" * 40), "does not read"),
        (lambda p: p.unlink(), "not found"),
        (lambda p: p.with_suffix(".json").write_text("{"), "does not read"),
    ],
)
def test_damaged_files_are_refused_in_one_line(world, tmp_path, spoil, words):
    spoil(fit("SN", world).save(tmp_path / "head"))
    with pytest.raises(InputError, match=words) as error:
        SensitiveNets.load(tmp_path / "head")
    assert "\n" not in str(error.value)


def test_another_method_s_file_is_refused(world, tmp_path):
    fit("SN", world).save(tmp_path / "head")
    with pytest.raises(InputError, match="holds 'SN'"):
        LNTL.load(tmp_path / "head")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x, who, e: (x[:-1], who, e),
        lambda x, who, e: (x * np.nan, who, e),
        lambda x, who, e: (x, who, ["a"] * len(e)),
    ],
)
def test_input_that_cannot_be_fitted_is_refused(world, spoil):
    x, who, emotion, _ = world
    with pytest.raises(ValueError, match=r"expected|finite|two classes"):
        SensitiveNets(config=SN).fit(*spoil(x, who, emotion))


def test_transform_asks_for_a_fit_and_for_the_width_it_learnt(world):
    with pytest.raises(ValueError, match="not fitted"):
        SensitiveNets().transform(world[0])
    with pytest.raises(ValueError, match=r"\(N, 24\)"):
        fit("SN", world).transform(world[0][:, :5])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_trains_by_the_same_code(world):
    x, who, emotion, train = world
    z = SensitiveNets(3.0, config=SN, device="cuda").fit(x[train], who[train], emotion[train]).transform(x)
    assert read_emotion(z, emotion, train) < read_emotion(x, emotion, train) - 8


def test_leace_leaves_a_linear_probe_at_chance_on_its_own_people_and_others_near_it(world):
    x, _, emotion, train = world
    z = fit("LEACE", world).transform(x)
    a, b = np.flatnonzero(train), np.flatnonzero(~train)
    before = balanced_accuracy(emotion[b], LogisticRegression(max_iter=500).fit(x[a], emotion[a]).predict(x[b]))
    after = balanced_accuracy(emotion[b], LogisticRegression(max_iter=500).fit(z[a], emotion[a]).predict(z[b]))
    assert before > 75 and abs(after - 50) < 6
    happy = emotion[a] == "happiness"
    np.testing.assert_allclose(z[a][happy].mean(0), z[a][~happy].mean(0), atol=1e-4)


def test_identities_may_be_numbers_and_an_expression_may_be_missing(world):
    x, who, emotion, _ = world
    few = np.where(np.arange(len(x)) % 3 == 0, None, emotion)
    config = dataclasses.replace(SN, rounds=1)
    a, b = (SensitiveNets(config=config, device="cpu").fit(x, ids, few).transform(x) for ids in (who, who.astype(int)))
    assert a.shape == b.shape == x.shape and np.isfinite(a).all()

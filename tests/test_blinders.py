"""The blinders' face: emotion readable before, less after, identity kept; saved, loaded, refused."""

import dataclasses
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from blindlib.appendix.obliviator import Obliviator
from blindlib.blinders import LEACE, LNTL, Representation, SensitiveNets
from blindlib.blinders.training import TrainingSet, encode
from blindlib.common.errors import InputError
from blindlib.metrics import balanced_accuracy
from blindlib.settings import LNTLSettings, SensitiveNetsSettings

BLINDERS = {"SN": SensitiveNets, "LNTL": LNTL, "LEACE": LEACE}
QUICK = {"hidden": 32, "rounds": 8, "head_steps": 50, "detector": (16,), "identities": 16, "rate": 0.1}
SN, LN = SensitiveNetsSettings(**QUICK, target="neutral"), LNTLSettings(**QUICK)
SHORT = {"rounds": 1, "head_steps": 5}  # where it does not matter how well a head is trained
SHORT_SN, SHORT_LN = dataclasses.replace(SN, **SHORT), dataclasses.replace(LN, **SHORT)


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


def fit(blinder, world):
    x, who, emotion, train = world
    return blinder.fit(x[train], emotion[train], identity=who[train])


@pytest.fixture(scope="module")
def fitted(world):
    """Each blinder, trained well: no test may change it."""
    sn, lntl = (kind(1.0, settings=s, device="cpu") for kind, s in ((SensitiveNets, SN), (LNTL, LN)))
    return {blinder.name: fit(blinder, world) for blinder in (sn, lntl, LEACE())}


@pytest.mark.parametrize("name", list(BLINDERS))
def test_emotion_is_readable_before_and_less_after_and_identity_stays(world, fitted, name):
    x, who, emotion, train = world
    before, z = read_emotion(x, emotion, train), fitted[name].transform(x)
    assert before > 75, "the guard needs something to hide"
    assert read_emotion(z, emotion, train) < before - (8 if name == "LEACE" else 15), "LEACE leaves the curve"
    assert verify(z, who, train) > verify(x, who, train) - 6
    assert z.shape == x.shape and z.dtype == np.float32


@pytest.fixture(scope="module")
def planted():
    """1,000 embeddings of 250 people in 48 dimensions; three classes differ by their means, along two directions."""
    rng = np.random.default_rng(2)
    who = np.repeat(np.arange(250), 4)
    code = rng.permuted(np.tile(np.arange(4), (250, 1)), axis=1).ravel() % 3
    means = rng.normal(size=(3, 48))
    x = rng.normal(size=(250, 48))[who] + 0.4 * rng.normal(size=(1000, 48))
    x += 2 * (means / np.linalg.norm(means, axis=1, keepdims=True))[code]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(np.float32), who.astype(str), np.array(["anger", "fear", "neutral"])[code], who < 125


def read_linearly(z, emotion, who, train):
    """A fresh linear probe of people whom no head has seen, trained on the one half, tested on the other, both ways."""
    even = who.astype(int) % 2 == 0
    scores = []
    for a, b in ((~train & even, ~train & ~even), (~train & ~even, ~train & even)):
        scaled = (z - z[a].mean(0)) / z[a].std(0)
        probe = LogisticRegression(C=0.1, max_iter=500).fit(scaled[a], emotion[a])
        scores.append(balanced_accuracy(emotion[b], probe.predict(scaled[b])))
    return np.mean(scores)


@pytest.mark.parametrize(("kind", "settings", "share"), [(SensitiveNets, SN, 0.5), (LNTL, LN, 0.3)])
def test_a_planted_linear_leak_is_mostly_taken_out_and_identity_stays(planted, kind, settings, share):
    x, who, emotion, train = planted
    before, chance = read_linearly(x, emotion, who, train), 100 / 3
    settings = dataclasses.replace(settings, rate=0.3)
    z = fit(kind(1.0, settings=settings, device="cpu"), planted).transform(x)
    assert 70 < before < 90, "the guard needs a leak of moderate strength"
    assert read_linearly(z, emotion, who, train) - chance < share * (before - chance)
    assert verify(z, who, train) > verify(x, who, train) - 3


def test_without_its_penalty_a_head_hides_nothing_and_costs_nothing(world):
    x, who, emotion, train = world
    z = fit(SensitiveNets(0.0, settings=SN, device="cpu"), world).transform(x)
    assert abs(read_emotion(z, emotion, train) - read_emotion(x, emotion, train)) < 5
    assert verify(z, who, train) > verify(x, who, train) - 2


@pytest.mark.parametrize("name", list(BLINDERS))
def test_saved_and_loaded_it_is_the_same_map(world, fitted, tmp_path, name):
    fitted[name].save(tmp_path / "head")
    loaded = BLINDERS[name].load(tmp_path / "head")
    np.testing.assert_array_equal(loaded.transform(world[0]), fitted[name].transform(world[0]))


@pytest.mark.parametrize("form", [{"residual": False}, {"keep_norm": False}])
def test_an_ablated_head_is_loaded_as_it_was_saved(world, tmp_path, form):
    blinder = fit(
        SensitiveNets(bits=None, settings=dataclasses.replace(SHORT_SN, rate=1.0, **form), device="cpu"), world
    )
    z, whole = blinder.transform(world[0]), fit(SensitiveNets(bits=None, settings=SHORT_SN, device="cpu"), world)
    blinder.save(tmp_path / "head")
    np.testing.assert_array_equal(SensitiveNets.load(tmp_path / "head").transform(world[0]), z)
    assert np.abs(np.linalg.norm(whole.transform(world[0]), axis=1) - 1).max() < 1e-5
    assert (np.abs(np.linalg.norm(z, axis=1) - 1).max() < 1e-5) == ("keep_norm" not in form)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(world, tmp_path):
    blinders = [SensitiveNets(settings=SHORT_SN, random_state=seed, device="cpu") for seed in (0, 0, 1)]
    files = [fit(blinder, world).save(tmp_path / f"{n}").read_bytes() for n, blinder in enumerate(blinders)]
    assert files[0] == files[1] != files[2]


def test_history_keeps_losses_detector_and_fresh_probe_by_look(world):
    x, who, emotion, _train = world
    held = np.isin(who, [str(p) for p in range(200, 300)])
    for kind, settings, loss in ((SensitiveNets, SHORT_SN, "penalty"), (LNTL, SHORT_LN, "entropy")):
        settings = dataclasses.replace(settings, rounds=3)
        blinder = kind(1.0, settings=settings, device="cpu").fit(x, emotion, identity=who, validation=held)
        assert [row["round"] for row in blinder.history_] == [0, 1, 2, 3]
        assert {loss, "detector", "attribute", "identity"} <= set(blinder.history_[-1])
        assert blinder.history_[0]["attribute"] > 60


def test_lntl_serves_demographics_where_they_are_given(world):
    x, who, emotion, _train = world
    groups = np.array(["a", "b", "c"])[who.astype(int) % 3]
    blinder = LNTL(0.3, task="demographic", settings=SHORT_LN, device="cpu")
    assert blinder.fit(x, emotion, identity=who, demographic=groups).transform(x).shape == x.shape
    assert blinder.name == "LNTL demographic"
    with pytest.raises(ValueError, match="needs fit"):
        blinder.fit(x, emotion, identity=who)


def test_weights_that_are_not_those_that_were_saved_are_refused(fitted, tmp_path):
    path, other = (fitted["LEACE"].save(tmp_path / name) for name in ("head", "other"))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1  # a bit of the last number
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"head\.safetensors: holds other weights than head\.json describes"):
        LEACE.load(path)
    described = json.loads(other.with_suffix(".json").read_text())
    del described["weights_sha256"]  # as heads were described before
    other.with_suffix(".json").write_text(json.dumps(described))
    assert LEACE.load(other).n_features_in_ == fitted["LEACE"].n_features_in_


def test_weights_of_the_wrong_shape_are_refused_with_the_file_s_name(fitted, tmp_path):
    path = fitted["SN"].save(tmp_path / "head")
    arrays = load_file(path)
    save_file({**arrays, "up": torch.zeros(1, 5, 5)}, path)
    with pytest.raises(InputError, match=r"head\.safetensors: holds other weights"):
        SensitiveNets.load(tmp_path / "head")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.write_bytes(b"x" * 40), "does not read"),
        (lambda p: p.unlink(), "not found"),
        (lambda p: p.with_suffix(".json").write_text("{"), "does not read"),
        (lambda p: p.with_suffix(".json").write_text('{"class": "SensitiveNets"}'), "does not fit"),
    ],
)
def test_damaged_files_are_refused_in_one_line(fitted, tmp_path, spoil, words):
    spoil(fitted["SN"].save(tmp_path / "head"))
    with pytest.raises(InputError, match=words) as error:
        SensitiveNets.load(tmp_path / "head")
    assert "\n" not in str(error.value)


def test_another_method_s_file_is_refused(fitted, tmp_path):
    fitted["SN"].save(tmp_path / "head")
    with pytest.raises(InputError, match="holds SensitiveNets, not LNTL"):
        LNTL.load(tmp_path / "head")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x, who, e: (x[:-1], e, who),
        lambda x, who, e: (x * np.nan, e, who),
        lambda x, who, e: (x, ["a"] * len(e), who),
    ],
)
def test_input_that_cannot_be_fitted_is_refused(world, spoil):
    x, who, emotion, _ = world
    x, y, identity = spoil(x, who, emotion)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples|X contains NaN|^y .*two classes"):
        SensitiveNets(settings=SN).fit(x, y, identity=identity)


def test_transform_asks_for_a_fit_and_for_the_width_it_learnt(world, fitted):
    with pytest.raises(ValueError, match="not fitted"):
        SensitiveNets().transform(world[0])
    with pytest.raises(ValueError, match=r"expecting 24 features"):
        fitted["SN"].transform(world[0][:, :5])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_trains_by_the_same_code(world):
    x, _who, emotion, train = world
    z = fit(SensitiveNets(1.0, settings=SN, device="cuda"), world).transform(x)
    assert read_emotion(z, emotion, train) < read_emotion(x, emotion, train) - 15


def test_leace_leaves_a_linear_probe_at_chance_on_its_own_people_and_others_near_it(world, fitted):
    x, _, emotion, train = world
    z = fitted["LEACE"].transform(x)
    a, b = np.flatnonzero(train), np.flatnonzero(~train)
    before = balanced_accuracy(emotion[b], LogisticRegression(max_iter=500).fit(x[a], emotion[a]).predict(x[b]))
    after = balanced_accuracy(emotion[b], LogisticRegression(max_iter=500).fit(z[a], emotion[a]).predict(z[b]))
    assert before > 75 and abs(after - 50) < 6
    happy = emotion[a] == "happiness"
    np.testing.assert_allclose(z[a][happy].mean(0), z[a][~happy].mean(0), atol=1e-4)


def test_identities_may_be_numbers_and_an_emotion_may_be_missing(world):
    x, who, emotion, _ = world
    few = np.where(np.arange(len(x)) % 3 == 0, None, emotion)
    blinder = SensitiveNets(settings=SHORT_SN, device="cpu")
    a, b = (blinder.fit(x, few, identity=ids).transform(x) for ids in (who, who.astype(int)))
    assert a.shape == b.shape == x.shape and np.isfinite(a).all()


TINY = {"rounds": 1, "head_steps": 2, "hidden": 4, "identities": 4, "per_class": 4, "detector": (4,)}
CHECKED = [
    SensitiveNets(settings=SensitiveNetsSettings(**TINY), device="cpu"),
    LEACE(),
    Obliviator(rounds=1, epochs=1),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_takes_it_for_one_of_its_own(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize("blinder", CHECKED, ids=lambda blinder: blinder.name)
def test_it_clones_stands_in_a_pipeline_and_gives_pandas(world, blinder):
    x, who, emotion, _ = world
    twin = clone(blinder)
    assert twin is not blinder and twin.get_params() == blinder.get_params()
    step = type(blinder).__name__.lower()
    pipeline = make_pipeline(StandardScaler(), twin).set_output(transform="pandas")
    z = pipeline.fit_transform(x, emotion, **{f"{step}__identity": who})
    assert isinstance(z, pd.DataFrame) and z.shape == x.shape
    scaled = StandardScaler().fit_transform(x)
    np.testing.assert_array_equal(z, clone(blinder).fit_transform(scaled, emotion, identity=who))


def test_the_penalty_s_class_may_be_left_out_and_the_attribute_have_any_name(world):
    x, who, _, _ = world
    wearing = np.where(np.arange(len(x)) % 3 == 0, "glasses", "none")
    left_out, named = (
        SensitiveNets(settings=dataclasses.replace(SHORT_SN, target=target), device="cpu") for target in (None, "none")
    )
    a, b = (blinder.fit(x, wearing, identity=who).transform(x) for blinder in (left_out, named))
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="'neutral' is not among"):
        SensitiveNets(settings=SN, device="cpu").fit(x, wearing, identity=who)


def test_two_files_with_a_dot_in_their_names_are_two_files(world, tmp_path):
    blinders = [SensitiveNets(strength, settings=SHORT_SN, device="cpu") for strength in (0.1, 0.3)]
    one, other = (fit(blinder, world).save(tmp_path / f"sn_{blinder.strength}") for blinder in blinders)
    assert one != other and one.exists() and other.exists()
    assert SensitiveNets.load(tmp_path / "sn_0.1").strength == 0.1


def test_a_bank_is_the_heads_that_fit_trains_one_by_one(world):
    """Two splits with two strengths fill a bank; of one split, each head is the one that its strength gives alone."""
    x, who, emotion, _ = world
    codes, classes = encode(emotion)
    people, _ = encode(who)
    rows = [np.flatnonzero(people % 4 == k) for k in range(4)]
    parts = {"attribute": codes, "demographic": np.full(len(x), -1), "part": np.zeros(len(x), int), "identity": people}
    data = TrainingSet(torch.tensor(x), head=rows[:2], validation=rows[2:], classes=tuple(classes), **parts)
    settings = dataclasses.replace(SHORT_SN, strengths=(0.0, 1.0), rate=1.0, head_steps=40)
    bank = SensitiveNets(settings=settings, device="cpu").fit_splits(data, budget=100)
    assert len(bank.heads_.down) == 4 and bank.chosen_ == [1.0, 1.0] and len(bank.history_) == 8
    free = bank.representation(x, 0.0)
    assert free.trained and free.splits == 2 and free.name == "SN λ=0" and (free.method, free.strength) == ("SN", 0.0)
    one = dataclasses.replace(data, head=rows[:1], validation=rows[2:3])
    both = SensitiveNets(settings=settings, device="cpu").fit_splits(one, budget=100)
    for strength in settings.strengths:
        alone = SensitiveNets(strength, bits=None, settings=settings, device="cpu")
        z = alone.fit(x[rows[0]], emotion[rows[0]], identity=who[rows[0]]).transform(x)
        np.testing.assert_allclose(both.representation(x, strength).rows(0, np.arange(len(x))), z, atol=1e-5)
        assert np.abs(z - x).max() > 1e-2


def test_a_representation_refuses_a_split_for_which_it_has_no_head():
    x = np.arange(12.0).reshape(6, 2)
    shared = Representation.of("x", x)
    heads = Representation("SN", lambda split, rows: x[rows] + split, "SN", splits=2)
    assert not shared.trained and heads.trained
    np.testing.assert_array_equal(shared.rows(7, np.array([1, 2])), x[1:3])
    np.testing.assert_array_equal(heads.rows(1, np.array([0])), x[:1] + 1)
    with pytest.raises(ValueError, match="2 heads"):
        heads.rows(2, np.array([0]))
    with pytest.raises(ValueError, match="2 heads for 5 splits"):
        heads.serves(5)

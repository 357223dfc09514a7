"""Erasers beside LEACE, and the centre loss: what they remove, on whom they are fitted, what they leave."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from blindlib.appendix import obliviator
from blindlib.appendix.centre_loss import CentreLoss
from blindlib.appendix.erasers import INLP, NAP, PCAControl, RandomControl
from blindlib.appendix.obliviator import Obliviator
from blindlib.appendix.synthetic_leaks import Leak, attack, plant
from blindlib.blinders.affine import LEACE
from blindlib.blinders.erasers import ERASERS as NAMED
from blindlib.blinders.erasers import eraser_representation, find_eraser
from blindlib.metrics import balanced_accuracy, effective_rank
from blindlib.settings import CentreLossSettings

SETTINGS = CentreLossSettings(hidden=32, rounds=30, head_steps=50, identities=16)


@pytest.fixture(scope="module")
def world():
    """300 people, six images each in 30 dimensions; three emotions along two directions, a nuisance along a third."""
    rng = np.random.default_rng(5)
    who, emotion = np.repeat(np.arange(300), 6), np.tile(np.arange(6) % 3, 300)
    x = rng.normal(size=(300, 30))[who] + 0.2 * rng.normal(size=(1800, 30))
    x[:, :2] += 3 * np.array([[1, 0], [0, 1], [-1, -1]])[emotion]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(np.float32), who, emotion, who < 150


def linear(z, emotion, train):
    """What a linear attacker reads of people 150 to 225 who trains on the rest of those whom no eraser has seen."""
    half = np.arange(len(z)) >= 1350
    a, b = half, ~train & ~half
    return balanced_accuracy(emotion[b], LinearDiscriminantAnalysis().fit(z[a], emotion[a]).predict(z[b]))


def spread(z, who):
    """Mean distance of an image to the mean of its person."""
    means = np.stack([z[who == person].mean(0) for person in np.unique(who)])
    return np.linalg.norm(z - means[np.unique(who, return_inverse=True)[1]], axis=1).mean()


ERASERS = [LEACE(), INLP(), NAP(share=2 / 30), Obliviator(rounds=2), CentreLoss(settings=SETTINGS, device="cpu")]


@pytest.mark.parametrize("eraser", ERASERS, ids=lambda eraser: eraser.name)
def test_emotion_is_read_less_and_people_stay_apart(world, eraser):
    x, who, emotion, train = world
    z = eraser.fit(x[train], emotion[train], identity=who[train]).transform(x)
    assert linear(x, emotion, train) > 90 and linear(z, emotion, train) < 100 / 3 + 12
    assert spread(z[~train], who[~train]) < spread(x[~train], who[~train])
    between = [np.stack([v[who == person].mean(0) for person in range(150, 300)]).std(0).mean() for v in (x, z)]
    assert between[1] > 0.8 * between[0]


def test_inlp_stops_when_nothing_is_read_and_goes_on_while_something_is(world):
    x, who, emotion, train = world
    once = INLP(rounds=1).fit(x[train], emotion[train], identity=who[train])
    whole = INLP().fit(x[train], emotion[train], identity=who[train])
    ranks = [np.linalg.matrix_rank(e.projection_.numpy(), tol=1e-3) for e in (once, whole)]
    assert ranks[0] <= 3 and ranks[0] <= ranks[1] < 30, "it does not erase everything"
    nothing = np.random.default_rng(0).permutation(emotion[train])
    idle = INLP().fit(x[train], nothing, identity=who[train])
    assert np.allclose(idle.transform(x), x, atol=1e-6), "where nothing is read nothing is taken"


def test_nap_takes_the_directions_in_which_one_person_s_images_differ(world):
    x, who, emotion, train = world
    taken = NAP(share=2 / 30).fit(x[train], emotion[train], identity=who[train]).projection_.numpy()
    assert np.allclose(taken, taken @ taken, atol=1e-5) and np.trace(taken) == pytest.approx(2, abs=1e-4)
    assert np.trace(taken[:2, :2]) > 1.8, "the two in which the emotions lie"
    several = np.where(np.arange(len(x)) % 2 == 0, emotion, 0)  # half of the images carry another label
    other = NAP(share=2 / 30).fit(x[train], several[train], identity=who[train]).projection_.numpy()
    assert not np.allclose(taken, other, atol=1e-3), "a person's images of one class are averaged first"


def test_the_centre_loss_uses_no_label_of_what_it_hides(world):
    x, who, emotion, train = world
    head = CentreLoss(settings=SETTINGS, device="cpu")
    one = head.fit(x[train], emotion[train], identity=who[train]).transform(x)
    other = head.fit(x[train], np.random.default_rng(0).permutation(emotion[train]), identity=who[train]).transform(x)
    np.testing.assert_array_equal(one, other)


def test_a_larger_strength_draws_closer(world):
    x, who, emotion, train = world
    told = {}
    short = replace(SETTINGS, rounds=8)
    for strength in (0.0, 0.003, 0.03):
        head = CentreLoss(strength, settings=short, device="cpu").fit(x[train], emotion[train], identity=who[train])
        told[strength] = head.history_[-1]["spread"]
    assert told[0.03] < 0.9 * told[0.003] < 0.5 * told[0.0]


def covariance(x, labels, known):
    """Of x (N, D) with one-hot labels, over the rows where they are known: (D, classes)."""
    member = labels[known, None] == np.unique(labels[known])
    return (x[known] - x[known].mean(0)).T @ (member - member.mean(0)) / known.sum()


def test_an_eraser_is_fitted_on_the_head_people_whose_emotion_is_known(world):
    x, who, emotion, _ = world
    hidden, head = np.where(who < 60, emotion.astype(object), None), np.flatnonzero(who < 100)
    faces = SimpleNamespace(frame=pd.DataFrame({"identity": who}))
    study = SimpleNamespace(embedded=[SimpleNamespace(x=x)], hidden=hidden, faces=faces)
    study.splits = [SimpleNamespace(head=head)]
    known = who < 60
    for name, labels in (("LEACE", {}), ("NAP", {"identity": who[known]})):
        z = eraser_representation(find_eraser(name), study).rows(0, np.arange(len(x)))
        want = find_eraser(name)().fit(x[known], emotion[known], **labels).transform(x)
        np.testing.assert_allclose(z, want, atol=1e-5)


def test_the_controls_have_the_rank_of_nap_and_ask_for_no_label(world):
    x, who, emotion, train = world
    shuffled = np.random.default_rng(0).permutation(emotion[train])
    nap = NAP(share=2 / 30).fit(x[train], emotion[train], identity=who[train])
    for control in (PCAControl(share=2 / 30), RandomControl(share=2 / 30)):
        one, other = (control.fit(x[train], y).transform(x) for y in (emotion[train], shuffled))
        np.testing.assert_array_equal(one, other)
        assert np.trace(control.projection_) == pytest.approx(np.trace(nap.projection_), abs=1e-4)
        assert linear(one, emotion, train) > 60, "equal rank alone hides little"
    pca = PCA(28).fit(x[train])
    want = pca.inverse_transform(pca.transform(x))
    np.testing.assert_allclose(PCAControl(share=2 / 30).fit(x[train], emotion[train]).transform(x), want, atol=1e-5)
    draws = [RandomControl(random_state=n).fit(x[train], emotion[train]).transform(x) for n in (0, 1)]
    assert not np.allclose(*draws, atol=1e-2)


def test_all_of_nap_s_directions_may_go(world):
    x, who, emotion, _ = world
    assert np.isfinite(NAP(share=1.0).fit(x, emotion, identity=who).transform(x)).all()


def test_obliviator_hides_a_leak_that_no_mean_shows():
    x, emotion, _ = plant(Leak("product", 6.0), 300, dim=64)
    head, probe, test = (np.arange(3000) // 1000 == part for part in range(3))
    told = {}
    for eraser in (None, LEACE(), Obliviator(rounds=2)):
        z = x if eraser is None else eraser.fit(x[head], emotion[head]).transform(x)
        rows = attack(z, emotion, probe, test)
        told[eraser and eraser.name] = {r["reading"]: r["value"] for r in rows if r["view"] == "standardised"}
    assert told[None]["RBF"] > 80 and told["LEACE"]["RBF"] > 70, "LEACE leaves it"
    assert told["Obliviator"]["RBF"] < 45 and told["Obliviator"]["linear"] < 30


def test_obliviator_s_dependence_is_the_root_of_hsic():
    a, b = (torch.as_tensor(np.random.default_rng(n).normal(size=(7, 3))) for n in (1, 2))
    width, n = torch.tensor(1.3, dtype=torch.float64), 7
    k, m = (np.exp([[-np.sum((p - q) ** 2) / (2 * 1.3**2) for q in z.numpy()] for p in z.numpy()]) for z in (a, b))
    h = np.eye(n) - 1 / n
    inner = obliviator._kernel(a, width)
    centred = inner - inner.mean(0) - inner.mean(1, keepdim=True) + inner.mean()
    got = obliviator._dependence(centred, obliviator._kernel(b, width))
    assert float(got) ** 2 == pytest.approx(np.trace(k @ h @ m @ h) / n**2, rel=1e-9)


def test_obliviator_s_projection_has_no_covariance_with_y_on_the_people_who_fit_it(world):
    x, _, emotion, train = world
    eraser = Obliviator(rounds=1).fit(x[train], emotion[train])
    step = eraser.steps_[0]
    z = torch.nn.functional.normalize(torch.tensor(x[train]) - eraser.bias_)
    seen = step.features(step.head(z), step.arrays["width"]) - step.arrays["centre"]
    z, seen = (seen @ step.arrays["directions"]).numpy(), seen.numpy()
    everyone = np.ones(len(z), bool)
    assert np.abs(covariance(z, emotion[train], everyone)).max() < 1e-5
    assert np.abs(covariance(seen @ np.linalg.qr(seen.T)[0], emotion[train], everyone)).max() > 1e-4


def test_obliviator_stops_before_it_collapses(world, monkeypatch):
    """Where dependence on x counts much the head draws all to a few points: such a round is not taken."""
    x, emotion = world[0][:300], world[2][:300]
    greedy = Obliviator(keep=1.0, epochs=60, rounds=3).fit(x, emotion)
    assert len(greedy.steps_) < 3 and effective_rank(greedy.transform(x)) > effective_rank(x) / 4
    monkeypatch.setattr(obliviator, "_LEAST", 0.0)
    assert effective_rank(Obliviator(keep=1.0, epochs=60, rounds=3).fit(x, emotion).transform(x)) < 3
    monkeypatch.setattr(obliviator, "_LEAST", 1.0)
    with pytest.raises(ValueError, match="too little is left after one round"):
        Obliviator(keep=1.0, epochs=60, rounds=1).fit(x, emotion)


def test_obliviator_is_loaded_as_it_was_saved_and_draws_by_its_seed(world, tmp_path):
    x, _, emotion, train = world
    fitted = [Obliviator(rounds=2, epochs=2, random_state=seed).fit(x[train], emotion[train]) for seed in (0, 0, 1)]
    files = [eraser.save(tmp_path / str(n)) for n, eraser in enumerate(fitted)]
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    np.testing.assert_array_equal(Obliviator.load(files[0]).transform(x), fitted[0].transform(x))


def test_the_effective_rank_counts_directions():
    rng = np.random.default_rng(0)
    assert effective_rank(np.outer(rng.normal(size=50), rng.normal(size=9))) == pytest.approx(1, abs=1e-6)
    assert 8.9 < effective_rank(rng.normal(size=(20_000, 9))) <= 9
    assert effective_rank(np.ones((5, 3))) == 1


def test_every_eraser_has_the_name_that_it_is_found_by():
    assert all(find_eraser(name).name == name for name in NAMED) and len(NAMED) == 6

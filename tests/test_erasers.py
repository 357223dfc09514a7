"""Beside LEACE: what INLP, NAP and the pull take out, of whom, and what they leave alone."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from blindlib.blinders.affine import INLP, LEACE, NAP
from blindlib.blinders.pull import Pull
from blindlib.metrics import balanced_accuracy
from blindlib.settings import PullSettings

PULL = PullSettings(hidden=32, rounds=30, head_steps=50, identities=16)


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


ERASERS = [LEACE(), INLP(), NAP(share=2 / 30), Pull(settings=PULL, device="cpu")]


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


def test_the_pull_asks_for_no_label_of_what_it_hides(world):
    x, who, emotion, train = world
    pull = Pull(settings=PULL, device="cpu")
    one = pull.fit(x[train], emotion[train], identity=who[train]).transform(x)
    other = pull.fit(x[train], np.random.default_rng(0).permutation(emotion[train]), identity=who[train]).transform(x)
    np.testing.assert_array_equal(one, other)


def test_a_larger_strength_pulls_further(world):
    x, who, emotion, train = world
    told = {}
    for strength in (0.0, 0.003, 0.03):
        pull = Pull(strength, settings=PULL, device="cpu").fit(x[train], emotion[train], identity=who[train])
        told[strength] = pull.history_[-1]["spread"]
    assert told[0.03] < 0.9 * told[0.003] < 0.5 * told[0.0]

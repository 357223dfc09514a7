"""Planted answers: made-up embeddings of which it is known how they leak the emotion, for blinders to be tried on.

There are no faces here. A row is its person's Gaussian vector, half as much noise of the image alone, and the leak of
its emotion, scaled to unit norm as embeddings of faces are. Sizes and kinds are ours (**decision**).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import pdist
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from blindlib.blinders.affine import INLP, LEACE, NAP, PCAControl, RandomControl, means_by
from blindlib.blinders.blinder import Blinder, HeadBlinder
from blindlib.blinders.erasers import name_of
from blindlib.blinders.obliviator import Obliviator
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.door import columns, number, takes
from blindlib.common.work import derive_seed, spread

ATTACKERS = ("linear", "RBF")
CHANCE = 20.0  # five emotions, equally often
_IMAGES = 10  # of a person, two of each emotion
_PEOPLE = {"head": 100, "validation": 50, "probe": 100, "test": 100}
_BUDGET = 3.0  # percent of verification that a kept head may cost; as in the presets
_MANY = 1000  # people who fit LEACE where it is asked what so few as `head` cost it
_SCALE = 1e-3**0.5  # deviation of the axes along which a `tiny` leak lies, where all others have 1
_SIGNS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])  # of the two products, by emotion


@dataclass(frozen=True)
class Leak:
    """How the emotion leaks: a kind, and a strength in deviations of a person's vector along one axis.

    * `linear`: every emotion moves the row along its own direction, of five that are orthonormal;
    * `tiny`: the same along five axes in which everything is a thousand times less variable than in the others;
    * `product`: four emotions are told by the signs of two products, each of the row's parts along two directions,
      which are drawn anew for every row; the fifth has no such parts. No class has a mean of its own;
    * `none`: not at all.
    """

    kind: str
    strength: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.strength:g}" if self.strength else self.kind


LEAKS = (
    *(Leak("linear", strength) for strength in (0.5, 1.0, 2.0, 4.0, 8.0)),
    Leak("product", 6.0),
    Leak("tiny", 4.0),
    Leak("none"),
)


@takes(people=number(1, 10**7, whole=True), dim=number(5, 10**6, whole=True))
def plant(leak: Leak, people: int, *, dim: int = 512, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made-up embeddings, ten of each person, two of each emotion; what they leak along depends on `dim` alone.

    Returns
    -------
    x : float32 array (10 * people, dim)
        Of unit norm.
    emotion, identity : int arrays (10 * people,)

    Raises
    ------
    ValueError
        If there is no such kind of leak.
    """
    number(0, 1e3)("leak.strength", leak.strength)
    rng, fixed = (np.random.default_rng(derive_seed("planted", *key)) for key in ((seed, str(leak)), (dim,)))
    identity, emotion = np.repeat(np.arange(people), _IMAGES), np.tile(np.arange(5), people * _IMAGES // 5)
    x = rng.normal(size=(people, dim))[identity] + 0.5 * rng.normal(size=(people * _IMAGES, dim))
    ways = np.linalg.qr(fixed.normal(size=(dim, 5)))[0].T  # (5, D), orthonormal
    if leak.kind == "linear":
        x += leak.strength * ways[emotion]
    elif leak.kind == "tiny":
        x[:, :5] = _SCALE * (x[:, :5] + leak.strength * np.eye(5)[emotion])
    elif leak.kind == "product":
        signs, first = _SIGNS[emotion], rng.choice([-1, 1], (len(x), 2))
        x += leak.strength * np.hstack([first * signs**2, first * signs]) @ ways[:4]
    elif leak.kind != "none":
        raise ValueError(f"there is no leak {leak.kind!r}: use linear, tiny, product or none")
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), emotion, identity


ERASERS = (LEACE(), INLP(), NAP(), Obliviator(), PCAControl(), RandomControl())


def calibrate(
    blinders: list[HeadBlinder],
    leaks: tuple[Leak, ...] = LEAKS,
    *,
    dim: int = 512,
    erasers: tuple[Blinder, ...] = ERASERS,
) -> pd.DataFrame:
    """What attackers read of every planted leak in x, and in what each method leaves of it.

    Each blinder trains a head for each leak, at its own `strength` and as its settings say, on 100 people, with 50 more
    by whom training ends where it has the rounds for it; 100 others train the attackers, 100 others are tested. The
    `erasers` are fitted on the first 100, LEACE once more on 1,000 others: the difference is what few people cost it.

    Returns
    -------
    DataFrame
        A row for each `leak`, `strength`, `method` and `reading`, with `value`, `low`, `high` (Wilson's 95 % interval,
        as if images were independent; NaN where there is none), `chance`, `rounds` and `settled` of the training.
        Readings, in percent and of test people: `linear` and `RBF`, the accuracy of attackers on standardised features;
        `identity`, the area under the ROC of pairs; `separation`, the distance of the emotions' means over that in
        x; `kept ways`, the share of that distance which lies in the plane of x's means.
    """
    role = np.repeat(list(_PEOPLE), [count * _IMAGES for count in _PEOPLE.values()])
    planted = [plant(leak, len(role) // _IMAGES, dim=dim) for leak in leaks]
    jobs = [(leak, "x", {}, x) for leak, (x, _, _) in zip(leaks, planted, strict=True)]
    for blinder in blinders:
        jobs += _trained(blinder, leaks, planted, role)
    few = role == "head"
    for leak, (x, emotion, identity) in zip(leaks, planted, strict=True):
        many, of_many, _ = plant(leak, _MANY, dim=dim, seed=1)
        for eraser in erasers:
            known = {"identity": identity[few]} if has_fit_parameter(eraser, "identity") else {}
            z = clone(eraser).fit(x[few], emotion[few], **known).transform(x)
            jobs.append((leak, name_of(type(eraser)), {}, np.asarray(z, np.float32)))
        jobs.append((leak, f"LEACE, {_MANY:,} people", {}, LEACE().fit(many, of_many).transform(x)))
    plain = {leak: x for leak, (x, _, _) in zip(leaks, planted, strict=True)}
    read = spread(lambda job: _readings(job[-1], plain[job[0]], *planted[0][1:], role), jobs)
    return pd.DataFrame(
        {"leak": leak.kind, "strength": leak.strength, "method": method, **row, **training}
        for (leak, method, training, _), rows in zip(jobs, read, strict=True)
        for row in rows
    )


def _trained(blinder: HeadBlinder, leaks: tuple[Leak, ...], planted: list, role: np.ndarray) -> list[tuple]:
    """A head for each leak, as a bank in which every leak is a split: (leak, method, how it ended, φ(x)) of each."""
    count = len(role)
    x = np.concatenate([x for x, _, _ in planted])
    emotion, identity = (np.tile(labels, len(leaks)) for labels in planted[0][1:])
    rows = [number * count + np.arange(count) for number in range(len(leaks))]
    settings = replace(blinder.settings or blinder._settings(), strengths=(float(blinder.strength),))
    data = TrainingSet(
        x=torch.tensor(x, device=pick_device(blinder.device)),
        identity=identity,
        attribute=emotion,
        demographic=np.full(len(x), -1),
        part=np.zeros(len(x), int),
        head=[own[role == "head"] for own in rows],
        validation=[own[role == "validation"] for own in rows],
        classes=(getattr(settings, "target", None) or "first", *"2345"),
    )
    budget = _BUDGET if settings.rounds > settings.look * settings.patience else None  # else the rule cannot end it
    bank = clone(blinder).set_params(settings=settings).fit_splits(data, budget=budget)
    ended = {"rounds": bank.history_[-1]["round"], "settled": bank.settled_}
    phi = bank.representation(x)
    return [(leak, bank.name, ended, phi.rows(number, rows[number])) for number, leak in enumerate(leaks)]


def _readings(z: np.ndarray, x: np.ndarray, emotion: np.ndarray, identity: np.ndarray, role: np.ndarray) -> list[dict]:
    """What is read of one representation z (N, D) of x (N, D): the readings of `calibrate`."""
    train, test = role == "probe", role == "test"
    rows, scaler = [], StandardScaler().fit(z[train])
    for name, attacker in zip(ATTACKERS, (LogisticRegression(max_iter=2000), SVC()), strict=True):
        guess = attacker.fit(scaler.transform(z[train]), emotion[train]).predict(scaler.transform(z[test]))
        right = binomtest(int((guess == emotion[test]).sum()), len(guess))
        low, high = right.proportion_ci(method="wilson")
        row = {"value": 100 * right.statistic, "low": 100 * low, "high": 100 * high, "chance": CHANCE}
        rows.append({"reading": name, **row})
    pairs = np.flatnonzero(test)[::2]  # half of the images of each person: enough
    auc = 100 * roc_auc_score(pdist(identity[pairs, None]) == 0, -pdist(z[pairs]))
    before, after = (means_by(part[test].astype(np.float64), emotion[test]) for part in (x, z))
    before, after = before - before.mean(0), after - after.mean(0)  # (5, D)
    plane = np.linalg.svd(before, full_matrices=False)[2][:4]  # (4, D): five means without their centre
    apart = np.linalg.norm(after)
    values = {
        "identity": (auc, 50.0),
        "separation": (100 * apart / np.linalg.norm(before), 0.0),
        "kept ways": (100 * np.linalg.norm(after @ plane.T) / max(apart, 1e-12), 0.0),
    }
    return rows + [{"reading": name, "value": value, "chance": chance} for name, (value, chance) in values.items()]


@takes(table=columns("leak", "strength", "method", "reading", "value", "chance", known=()))
def halved(table: pd.DataFrame) -> pd.DataFrame:
    """For which strengths of a linear leak each method leaves at most half of what the attacker reads in x.

    Of the rows of `calibrate`: a row a `method` and attacker (`reading`), and the tried strengths `weakest`, the first
    at which accuracy above chance is at most half of x's, and `strongest`, the last before the next at which it is not;
    NaN where there is none. Strengths at which x shows less than 10 points above chance are left out: half of that is
    within the noise.
    """
    linear = table[(table["leak"] == "linear") & table["reading"].isin(ATTACKERS)]
    above = linear.assign(above=linear["value"] - linear["chance"]).set_index(["reading", "strength", "method"])[
        "above"
    ]
    if "x" not in above.index.get_level_values("method"):
        return pd.DataFrame(columns=["method", "reading", "weakest", "strongest"])
    above = above.unstack("method")[list(dict.fromkeys(linear["method"]))]
    above = above[above["x"] >= 10].sort_index()
    half = above.drop(columns="x").le(above["x"] / 2, axis=0)
    rows = []
    for (method, reading), good in half.stack().groupby(["method", "reading"], sort=False):
        run = good.droplevel(["method", "reading"]).loc[lambda g: g.cummax()]
        run = run.index[run.cummin()]
        ends = {"weakest": run[0], "strongest": run[-1]} if len(run) else {}
        rows.append({"method": method, "reading": reading, **ends})
    return pd.DataFrame(rows, columns=["method", "reading", "weakest", "strongest"])

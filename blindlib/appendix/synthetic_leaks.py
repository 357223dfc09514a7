"""Plant leaks of known size in synthetic embeddings, and measure what each method leaves of them.

There are no faces here. A row is its subject's Gaussian vector, half as much noise of the image alone, and the leak of
its emotion, scaled to unit norm as face embeddings are. Sizes and kinds are ours (**decision**).
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
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from blindlib.appendix.erasers import INLP, NAP, PCAControl, RandomControl, basis, means_by
from blindlib.appendix.obliviator import Obliviator
from blindlib.blinders.affine import LEACE, AffineEraser
from blindlib.blinders.blinder import Blinder
from blindlib.blinders.erasers import name_of
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.rounding import on_grid
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.work import derive_seed, spread
from blindlib.evaluate.probes import VIEWS

ATTACKERS = {"linear": LogisticRegression(max_iter=2000), "RBF": SVC()}
CHANCE = 20.0  # five emotions, equally often
MANY = "LEACE, 1,000 subjects"
_IMAGES = 10  # of a subject, two of each emotion
_SUBJECTS = {"head": 100, "validation": 50, "probe": 100, "test": 100}
_TOLERANCE = 3.0  # percent of verification that a kept checkpoint may cost, as in the presets
_SCALE = 1e-3**0.5  # deviation of the axes along which a `tiny` leak lies, where all others have 1
_SIGNS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]])  # of the two products, by emotion


@dataclass(frozen=True)
class Leak:
    """How the emotion leaks: a kind, and a strength in deviations of a subject's vector along one axis.

    * `linear`: every emotion moves the row along its own direction, of five that are orthonormal;
    * `tiny`: the same along five axes whose variance is a thousandth of the others';
    * `product`: four emotions differ in the signs of two products, each of the row's parts along two directions, drawn
      for every row; the fifth has no such parts. All class means are equal;
    * `none`: not at all.
    """

    kind: str
    strength: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.strength:g}" if self.strength else self.kind


LEAKS = (
    *(Leak("linear", strength) for strength in (1.0, 2.0, 4.0, 8.0)),
    Leak("product", 6.0),
    Leak("tiny", 4.0),
    Leak("none"),
)


def plant(leak: Leak, subjects: int, *, dim: int = 512, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make embeddings that leak along directions that depend on `dim` alone: ten a subject, two of each emotion.

    Returns
    -------
    x : float32 array (10 * subjects, dim)
        Of unit norm.
    emotion, identity : int arrays (10 * subjects,)

    Raises
    ------
    ValueError
        If there is no such kind of leak.
    """
    rng, fixed = (np.random.default_rng(derive_seed("planted", *key)) for key in ((seed, str(leak)), (dim,)))
    identity, emotion = np.repeat(np.arange(subjects), _IMAGES), np.tile(np.arange(5), subjects * _IMAGES // 5)
    x = rng.normal(size=(subjects, dim))[identity] + 0.5 * rng.normal(size=(subjects * _IMAGES, dim))
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


class ShrinkingEraser(AffineEraser):
    """Shrink the span of the class means a thousand times: a fixture that hides nothing from a probe that whitens.

    It does by a formula what a trained head does in effect. Its output is invertible in float; few bits remove what it
    shrinks.
    """

    name = "shrinking"

    def __init__(self, *, bits=None):
        self.bits = bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        means = means_by(x, codes)
        ways = basis(means - means.mean(0))
        return (1 - 1e-3) * ways.T @ ways


ERASERS = (LEACE(), ShrinkingEraser(), INLP(), NAP(), Obliviator(), PCAControl(), RandomControl())


def calibrate(
    blinders: list[HeadBlinder],
    leaks: tuple[Leak, ...] = LEAKS,
    *,
    dim: int = 512,
    erasers: tuple[Blinder, ...] = ERASERS,
    bits: int = 6,
) -> pd.DataFrame:
    """Measure what attackers predict of every planted leak from x and from each method's φ, in float and released.

    Each blinder trains one head a leak, at its own `strength`, on 100 subjects; 50 more stop the training where it has
    enough rounds for that. The `erasers` are fitted on the same 100, and LEACE once more on 1,000 others as a ruler.
    Another 100 subjects train the attackers, another 100 are tested.

    Returns
    -------
    DataFrame
        A row for each `leak`, `strength`, `method`, `bits` (`float`, or the number), `reading` and `view`. `value`,
        `low` and `high` are percent (Wilson's 95 % interval, as if images were independent), `chance` too; `converged`
        is of the training. Readings: `linear` and `RBF`, accuracy on test subjects in each view; `identity`, the area
        under the ROC of pairs.
    """
    role = np.repeat(list(_SUBJECTS), [count * _IMAGES for count in _SUBJECTS.values()])
    planted = {leak: plant(leak, len(role) // _IMAGES, dim=dim) for leak in leaks}
    jobs = [(leak, "x", None, x) for leak, (x, _, _) in planted.items()]
    for blinder in blinders:
        jobs += _trained(blinder, planted, role)
    for leak, (x, emotion, identity) in planted.items():
        head = role == "head"
        for eraser in erasers:
            known = {"identity": identity[head]} if has_fit_parameter(eraser, "identity") else {}
            z = clone(eraser).fit(x[head], emotion[head], **known).transform(x)
            jobs.append((leak, name_of(type(eraser)), None, np.asarray(z, np.float32)))
        many, of_many, _ = plant(leak, 1000, dim=dim, seed=1)
        jobs.append((leak, MANY, None, LEACE().fit(many, of_many).transform(x)))
    jobs = [(job, each) for job in jobs for each in (None, bits)]

    def measured(job: tuple) -> list[dict]:
        (leak, method, converged, z), each = job
        _, emotion, identity = planted[leak]
        z = on_grid(z, float(np.abs(z[role == "head"]).max()), each)
        common = {"leak": leak.kind, "strength": leak.strength, "method": method, "bits": str(each or "float")}
        rows = [*attack(z, emotion, role == "probe", role == "test"), _verified(z, identity, role == "test")]
        return [{**common, **row, "converged": converged} for row in rows]

    return pd.DataFrame([row for rows in spread(measured, jobs) for row in rows])


def _trained(blinder: HeadBlinder, planted: dict[Leak, tuple], role: np.ndarray) -> list[tuple]:
    """Train a head for each leak, as a bank in which every leak is a split: (leak, method, converged, φ(x)) of each."""
    count, leaks = len(role), list(planted)
    x = np.concatenate([x for x, _, _ in planted.values()])
    emotion, identity = (np.tile(labels, len(leaks)) for labels in planted[leaks[0]][1:])
    rows = [number * count + np.arange(count) for number in range(len(leaks))]
    settings = replace(blinder.used_settings, strengths=(float(blinder.strength),))
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
    tolerance = _TOLERANCE if settings.rounds > settings.look * settings.patience else None  # else none can stop early
    bank = clone(blinder).set_params(settings=settings).fit_splits(data, budget=tolerance)
    phi = bank.representation(x)
    return [(leak, bank.name, bank.converged_, phi.rows(number, rows[number])) for number, leak in enumerate(leaks)]


def attack(z: np.ndarray, emotion: np.ndarray, train: np.ndarray, test: np.ndarray) -> list[dict]:
    """Train linear and RBF attackers in both views of z (N, D) on the rows `train`, and test them on the rows `test`.

    Returns a row for each attacker (`reading`) and `view`: `value`, `low`, `high` and `chance` in percent.
    """
    rows = []
    for view, fit in VIEWS.items():
        see = fit(z[train])
        for name, attacker in ATTACKERS.items():
            guess = clone(attacker).fit(see(z[train]), emotion[train]).predict(see(z[test]))
            right = binomtest(int((guess == emotion[test]).sum()), len(guess))
            low, high = right.proportion_ci(method="wilson")
            row = {"value": 100 * right.statistic, "low": 100 * low, "high": 100 * high, "chance": CHANCE}
            rows.append({"reading": name, "view": view, **row})
    return rows


def _verified(z: np.ndarray, identity: np.ndarray, test: np.ndarray) -> dict:
    """Verify pairs of test rows: the area under their ROC, in percent."""
    pairs = np.flatnonzero(test)[::2]  # half of the images of each subject: enough
    auc = roc_auc_score(pdist(identity[pairs, None]) == 0, -pdist(z[pairs]))
    return {"reading": "identity", "view": "", "value": 100 * auc, "chance": 50.0}


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Keep, of `calibrate`'s rows, the highest accuracy of all attackers and views by leak, method and bits.

    The maximum is over test subjects, which can only favour the attacker.
    """
    attacks = table[table["reading"].isin(ATTACKERS)]
    return attacks.loc[attacks.groupby(["leak", "strength", "method", "bits"], sort=False)["value"].idxmax()]

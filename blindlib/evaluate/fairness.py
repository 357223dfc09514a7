"""Attractiveness under expression bias: does a classifier that saw the attractive smile reject those who do not smile?

The paper's design: as many attractive as unattractive training images; under bias b, a share b of the attractive smile
and a share b of the unattractive do not. The classifier is trained on a frozen representation and tested on a set
without that bias.

Which images a training set happens to hold moves the gap as much as who is tested does (**decision**): each rotation
draws several training sets at each bias, all tested on the same images, and a rotation's number is the mean over its
draws. Gaps are averaged with their sign, since the absolute value of a noisy gap is too large on average.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch.nn.functional import softplus

from blindlib.blinders.representation import Representation
from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, spread
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.metrics import interval
from blindlib.settings import UNBIASED, FairnessSettings

_FEWEST = 12  # images of a sample: below it there is nothing to train or to count


@dataclass(frozen=True)
class Samples:
    """The images of one split, people disjoint: row numbers of the face table."""

    train: dict[float, np.ndarray]  # by bias, (draws, images)
    validation: dict[float, np.ndarray]  # by bias, (draws, images)
    test: np.ndarray  # as many of each of the four kinds, attractive or not, smiling or not


_SHOWN = {"rows": door.codes, "attractive": door.flags, "smiling": door.flags, "bias": door.number(0.01, 0.99)}


@door.takes("attractive", "smiling", **_SHOWN, count=door.number(0, 10**9, whole=True))
def sample(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, count: int, bias: float, rng) -> np.ndarray:
    """Draw `count` of some rows, half of them attractive: a share `bias` of those smile, and 1 − `bias` of the others.

    Parameters
    ----------
    attractive, smiling : bool array (N,)
        Of the whole table.
    count : int
        At most `capacity(...)`.
    bias : float
        0.5 is no bias; the paper's biased set has 0.7.
    """
    kinds = _kinds(rows, attractive, smiling, bias)
    drawn = [rng.permutation(members)[: int(count / 2 * share + 1e-9)] for members, share in kinds]
    return np.sort(np.concatenate(drawn))


@door.takes("attractive", "smiling", **_SHOWN)
def capacity(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, bias: float) -> int:
    """The most rows that `sample` can draw at this bias: the rarest kind sets it. An even number."""
    return 2 * int(min(len(members) / share for members, share in _kinds(rows, attractive, smiling, bias)))


def _kinds(rows, attractive, smiling, bias: float) -> list[tuple[np.ndarray, float]]:
    """The rows of each kind, attractive or not, smiling or not, and the share that the kind has of its half."""
    return [
        (rows[(attractive[rows] == a) & (smiling[rows] == s)], bias if a == s else 1 - bias)
        for a in (True, False)
        for s in (True, False)
    ]


def draw_samples(faces: FaceTable, split: Split, settings: FairnessSettings) -> Samples | None:
    """Sample a split's training, validation and test sets: of its `probe`, `validation` and `test` people, who are
    disjoint and whom the split's head was not trained on.

    Both biases get the same number of images: `settings.train`, or what the rarest kind at the larger bias allows. None
    where too few images are labelled with both attributes.
    """
    known = faces.frame[["attractive", "smiling"]].notna().all(axis=1).to_numpy()
    attractive, smiling = _labels(faces)
    train, validation, test = (rows[known[rows]] for rows in (split.probe, split.validation, split.test))
    rng = np.random.default_rng(derive_seed(split.seed, split.rotation, "hall"))
    biases = sorted({UNBIASED, settings.bias})
    most = [min(capacity(rows, attractive, smiling, b) for b in biases) for rows in (train, validation)]
    counts = [n // 20 * 20 for n in (min(most[0], settings.train), most[1])]  # whole images at biases in tenths
    tested = capacity(test, attractive, smiling, UNBIASED)
    if min(*counts, tested) < _FEWEST:
        return None
    draws = [
        {b: np.stack([sample(rows, attractive, smiling, n, b, rng) for _ in range(settings.draws)]) for b in biases}
        for rows, n in zip((train, validation), counts, strict=True)
    ]
    return Samples(*draws, sample(test, attractive, smiling, tested, UNBIASED, rng))


def _labels(faces: FaceTable) -> tuple[np.ndarray, np.ndarray]:
    """`attractive` and `smiling` of every image, False where a label is missing: bool (N,) each."""
    return tuple(faces.frame[name].fillna(False).to_numpy(bool) for name in ("attractive", "smiling"))


def measure_fairness(
    representations: list[Representation], study, samples: list[Samples | None], settings: FairnessSettings
) -> pd.DataFrame:
    """Train and test the classifier on every representation, split, bias and draw.

    Parameters
    ----------
    study : Study
        Anything that has its `faces` and `splits`.
    samples : list of Samples or None
        Of `draw_samples`, for each split.

    Returns
    -------
    DataFrame
        `representation`, `bias`, `draw`, `rotation`, `seed`, `acc`, `tpr_smiling`, `tpr_not_smiling`, `gap` (their
        difference), all in percent, `penalty` (the chosen C), and counts of people and images. Empty where the labels
        are missing.
    """
    jobs = [
        (z, number, split, drawn)
        for number, (split, drawn) in enumerate(zip(study.splits, samples, strict=True))
        if drawn is not None
        for z in representations
    ]
    tables = spread(lambda job: _train_and_test(*job, study.faces, settings), jobs)
    return pd.DataFrame([row for rows in tables for row in rows])


def sweep_penalties(
    representations: list[Representation], study, samples: list[Samples | None], settings: FairnessSettings
) -> pd.DataFrame:
    """Measure the gap that biased training opens by the classifier's inverse penalty C, one of them at a time.

    Parameters as `measure_fairness`. Returns `representation`, `penalty`, `gap` and `gap_hw` (points, 95 % t-interval
    over rotations), `acc` (percent).
    """
    tables = []
    for c in settings.swept_penalties:
        alone = replace(settings, inverse_penalties=(c,))
        rows = measure_fairness(representations, study, samples, alone)
        tables.append(rows[np.isclose(rows["bias"], settings.bias)] if len(rows) else rows)
    rows = pd.concat(tables)
    points = []
    for (name, c), own in rows.groupby(["representation", "penalty"], sort=False) if len(rows) else ():
        rotations = own.groupby("rotation")[["gap", "acc"]].mean()
        gap, half = interval(rotations["gap"])
        point = {"representation": name, "penalty": c, "gap": gap, "gap_hw": half}
        points.append(point | {"acc": rotations["acc"].mean()})
    return pd.DataFrame(points, columns=["representation", "penalty", "gap", "gap_hw", "acc"])


def _train_and_test(z: Representation, number: int, split: Split, samples: Samples, faces, settings) -> list[dict]:
    """The rows of one representation and split."""
    (attractive, smiling), identity = _labels(faces), faces.frame["identity"].to_numpy()
    draws = [(bias, draw) for bias, rows in samples.train.items() for draw in range(len(rows))]
    trained, validated = ([part[bias][draw] for bias, draw in draws] for part in (samples.train, samples.validation))
    rows, share = _pooled(trained)
    weight, intercept = fit_classifiers(z.rows(number, rows), attractive[rows], share, settings.inverse_penalties)

    def right(rows: np.ndarray) -> np.ndarray:  # (M, B, C)
        scores = np.tensordot(z.rows(number, rows).astype(float), weight, 1) + intercept
        return (scores > 0) == attractive[rows, None, None]

    rows, share = _pooled(validated)
    best = ((share > 0)[..., None] & right(rows)).sum(0).argmax(1)  # by accuracy: half of a draw is attractive
    test = samples.test
    hits = 100.0 * np.take_along_axis(right(test), best[None, :, None], 2)[..., 0]  # (T, B)
    rates = {
        "acc": hits.mean(0),
        "tpr_smiling": hits[attractive[test] & smiling[test]].mean(0),
        "tpr_not_smiling": hits[attractive[test] & ~smiling[test]].mean(0),
    }
    rates["gap"] = rates["tpr_smiling"] - rates["tpr_not_smiling"]
    return [
        {
            "representation": z.name,
            "bias": bias,
            "draw": draw,
            "rotation": split.rotation,
            "seed": split.seed,
            **{name: values[b] for name, values in rates.items()},
            "penalty": settings.inverse_penalties[best[b]],
            "n_train": len(trained[b]),
            "n_train_subjects": len(np.unique(identity[trained[b]])),
            "n_test": len(test),
            "n_test_subjects": len(np.unique(identity[test])),
        }
        for b, (bias, draw) in enumerate(draws)
    ]


def _pooled(draws: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stand in any of B draws (M,), and the share that each has of each draw: float (M, B)."""
    rows = np.unique(np.concatenate(draws))
    return rows, np.stack([np.isin(rows, draw) / len(draw) for draw in draws], 1)


@door.takes(
    *("x", "truth", "share"),
    **{"x": door.some(door.matrix, 2), "truth": door.flags, "share": door.matrix},
    inverse_penalties=door.each(door.number(1e-9, 1e9)),
)
def fit_classifiers(
    x: np.ndarray, truth: np.ndarray, share: np.ndarray, inverse_penalties: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit logistic regressions on standardised features, for B training sets of the same pool and every C at once.

    They are scikit-learn's `StandardScaler` and `LogisticRegression(C=...)`; one product with the pool serves all.

    Parameters
    ----------
    x : float array (M, D), truth : bool array (M,)
        Of the pool.
    share : float array (M, B)
        1 / n for the n images of a training set, 0 for the others.
    inverse_penalties : tuple of float
        The values of C.

    Returns
    -------
    weight : float64 array (D, B, C), intercept : float64 array (B, C)
        For features as they come.

    Raises
    ------
    InputError
        If a share is below 0, or a training set has no image.
    """
    if (share < 0).any() or not (share > 0).any(0).all():
        raise InputError("share", "is below 0, or 0 of all images", "give 1 / n for the n images of each training set")
    x, truth, share = (torch.as_tensor(value, dtype=torch.float64) for value in (x, truth, share))
    sets, grid = share.shape[1], len(inverse_penalties)
    origin, size = x.mean(0), x.abs().max()
    x = x - origin
    centre = x.T @ share  # (D, B)
    scale = (x.square().T @ share - centre.square()).clamp_min(0).sqrt()
    scale = torch.where(scale > 1e-7 * size, scale, 1)  # what does not vary stays as it is, as in scikit-learn
    penalty = share.amax(0)[:, None] / torch.tensor(inverse_penalties)  # (B, C): 1 / (n C)
    # in these coordinates the loss bends alike in all directions, so that few steps suffice
    spread, axes = torch.linalg.eigh(torch.cov((x / scale.mean(1)).T))
    stretch = (spread.clamp_min(0)[:, None, None] / 4 + penalty).rsqrt()  # (D, B, C)

    def terms(point: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inner, intercept = torch.from_numpy(point).split([stretch.numel(), sets * grid])
        weight = stretch * inner.view_as(stretch)  # for standardised features, along the axes
        slope = (axes @ weight.flatten(1)).view_as(weight) / scale[..., None]
        return weight, slope, intercept.view(sets, grid) - (slope * centre[..., None]).sum(0)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        weight, slope, offset = terms(point)
        score = (x @ slope.flatten(1)).view(-1, sets, grid) + offset  # (M, B, C)
        missed = (share[..., None] * (softplus(score) - truth[:, None, None] * score)).sum()
        residual = share[..., None] * (score.sigmoid() - truth[:, None, None])
        total = residual.sum(0)
        back = (x.T @ residual.flatten(1)).view_as(weight) - centre[..., None] * total
        back = (axes.T @ (back / scale[..., None]).flatten(1)).view_as(weight) + penalty * weight
        gradient = torch.cat([(stretch * back).flatten(), total.flatten()])
        return float(missed + (penalty * weight.square()).sum() / 2), gradient.numpy()

    options = {"gtol": 1e-6, "ftol": 0, "maxcor": 20, "maxiter": 500}
    found = minimize(loss, np.zeros(stretch.numel() + sets * grid), jac=True, method="L-BFGS-B", options=options)
    _, slope, offset = terms(found.x)
    return slope.numpy(), (offset - (slope * origin[:, None, None]).sum(0)).numpy()

"""Measure how expression bias in training changes the true positive rate of an attractiveness classifier.

The paper's design: the training set has equally many attractive and unattractive images. Under bias b, a share b of the
attractive smile, and a share b of the unattractive do not. A classifier is trained on a frozen representation and
tested on an unbiased set.

The gap depends as much on the images of a training set as on the test subjects (**decision**): each rotation draws
several training sets at each bias, tests all on the same images, and reports their mean. Gaps are averaged with their
sign, because the mean absolute value of a noisy gap is too large.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed, spread
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.metrics import interval
from blindlib.settings import UNBIASED, FairnessSettings

_FEWEST = 12  # the fewest images of a sample, enough to train and to count


@dataclass(frozen=True)
class Samples:
    """Hold the images of one split, of disjoint subjects, as row numbers of the face table."""

    train: dict[float, np.ndarray]  # by bias, (draws, images)
    validation: dict[float, np.ndarray]  # by bias, (draws, images)
    test: np.ndarray  # equally many of each combination of attractive and smiling


def sample(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, count: int, bias: float, rng) -> np.ndarray:
    """Draw `count` rows, half of them attractive: a share `bias` of those smile, and 1 − `bias` of the others.

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


def capacity(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, bias: float) -> int:
    """Return the most rows that `sample` can draw at this bias, an even number; the rarest combination limits it."""
    return 2 * int(min(len(members) / share for members, share in _kinds(rows, attractive, smiling, bias)))


def _kinds(rows, attractive, smiling, bias: float) -> list[tuple[np.ndarray, float]]:
    """Return the rows of each combination of attractive and smiling, and its share of its half."""
    return [
        (rows[(attractive[rows] == a) & (smiling[rows] == s)], bias if a == s else 1 - bias)
        for a in (True, False)
        for s in (True, False)
    ]


def draw_samples(faces: FaceTable, split: Split, settings: FairnessSettings) -> Samples | None:
    """Sample a split's training, validation and test sets from its `probe`, `validation` and `test` subjects.

    These subjects are disjoint, and none of them trained the head. Both biases have equally many images:
    `settings.train`, or as many as the rarest combination allows. Returns None if too few images have both labels.
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
    """Return `attractive` and `smiling` of every image, False where a label is missing: bool (N,) each."""
    return tuple(faces.frame[name].fillna(False).to_numpy(bool) for name in ("attractive", "smiling"))


def measure_fairness(
    representations: list[Representation], study, samples: list[Samples | None], settings: FairnessSettings
) -> pd.DataFrame:
    """Train and test the classifier on every representation, split, bias and draw.

    Parameters
    ----------
    study : Study
        Any object with `faces` and `splits`.
    samples : list of Samples or None
        The result of `draw_samples` for each split.

    Returns
    -------
    DataFrame
        `representation`, `bias`, `draw`, `rotation`, `seed`, `acc`, `tpr_smiling`, `tpr_not_smiling`, `gap` (their
        difference), all in percent, `penalty` (the selected C), and counts of subjects and images. Empty without
        labels.
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
    """Measure the gap after biased training for every inverse penalty C of the classifier.

    Parameters as in `measure_fairness`. Returns `representation`, `penalty`, `gap` and `gap_hw` (points, 95 %
    t-interval over rotations), `acc` (percent).
    """
    tables = []
    biased = [
        None if drawn is None else replace(drawn, train={settings.bias: drawn.train[settings.bias]})
        for drawn in samples
    ]
    for c in settings.swept_penalties:
        tables.append(measure_fairness(representations, study, biased, replace(settings, inverse_penalties=(c,))))
    rows = pd.concat(tables)
    points = []
    for (name, c), own in rows.groupby(["representation", "penalty"], sort=False) if len(rows) else ():
        rotations = own.groupby("rotation")[["gap", "acc"]].mean()
        gap, half = interval(rotations["gap"])
        point = {"representation": name, "penalty": c, "gap": gap, "gap_hw": half}
        points.append(point | {"acc": rotations["acc"].mean()})
    return pd.DataFrame(points, columns=["representation", "penalty", "gap", "gap_hw", "acc"])


def _train_and_test(z: Representation, number: int, split: Split, samples: Samples, faces, settings) -> list[dict]:
    """Return the result rows of one representation and split."""
    (attractive, smiling), identity = _labels(faces), faces.frame["identity"].to_numpy()
    test, rows = samples.test, []
    tested = z.rows(number, test).astype(float)
    of_both = attractive[test] & smiling[test], attractive[test] & ~smiling[test]
    for bias, draws in samples.train.items():
        for draw, train in enumerate(draws):
            chosen = _select(z, number, train, samples.validation[bias][draw], attractive, settings.inverse_penalties)
            hits = 100.0 * (chosen.predict(tested) == attractive[test])
            smiles, others = (hits[kind].mean() for kind in of_both)
            rates = {"acc": hits.mean(), "tpr_smiling": smiles, "tpr_not_smiling": others, "gap": smiles - others}
            rows.append(
                {
                    "representation": z.name,
                    "bias": bias,
                    "draw": draw,
                    "rotation": split.rotation,
                    "seed": split.seed,
                    **rates,
                    "penalty": chosen[-1].C,
                    "n_train": len(train),
                    "n_train_subjects": len(np.unique(identity[train])),
                    "n_test": len(test),
                    "n_test_subjects": len(np.unique(identity[test])),
                }
            )
    return rows


def _select(z: Representation, number: int, train: np.ndarray, validation: np.ndarray, attractive, inverse_penalties):
    """Fit the classifier at every C; return the most accurate one on validation images."""
    pairs = [(z.rows(number, rows).astype(float), attractive[rows]) for rows in (train, validation)]
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, solver="newton-cholesky")).fit(*pairs[0])
        for c in inverse_penalties
    ]
    return models[0] if len(models) == 1 else max(models, key=lambda model: model.score(*pairs[1]))

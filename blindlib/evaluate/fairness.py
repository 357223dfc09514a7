"""Attractiveness under expression bias: does a classifier that saw the attractive smile reject those who do not smile?

The poster's design: as many attractive as unattractive training images; under bias b, a share b of the attractive smile
and a share b of the unattractive do not. The classifier is trained on a frozen representation and tested on a set
without that bias.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, true_positive_rate
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.metrics import balanced_accuracy
from blindlib.settings import UNBIASED, FairnessSettings

_FEWEST = 12  # images of a sample: below it there is nothing to train or to count


@dataclass(frozen=True)
class Samples:
    """The images of one split, people disjoint: row numbers of the face table."""

    train: dict[float, np.ndarray]  # by bias
    validation: dict[float, np.ndarray]  # by bias
    test: np.ndarray  # as many of each of the four kinds, attractive or not, smiling or not


def sample(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, count: int, bias: float, rng) -> np.ndarray:
    """Draw `count` of some rows, half of them attractive: a share `bias` of those smile, and 1 − `bias` of the others.

    Parameters
    ----------
    attractive, smiling : bool array (N,)
        Of the whole table.
    count : int
        At most `capacity(...)`.
    bias : float
        0.5 is no bias; the poster's biased set has 0.7.
    """
    kinds = _kinds(rows, attractive, smiling, bias)
    drawn = [rng.permutation(members)[: int(count / 2 * share + 1e-9)] for members, share in kinds]
    return np.sort(np.concatenate(drawn))


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

    Every bias gets the same number of images: `settings.train`, or what the rarest kind at the strongest bias allows.
    None where too few images are labelled with both attributes.
    """
    known = faces.frame[["attractive", "smiling"]].notna().all(axis=1).to_numpy()
    attractive, smiling = _labels(faces)
    train, validation, test = (rows[known[rows]] for rows in (split.probe, split.validation, split.test))
    rng = np.random.default_rng(derive_seed(split.seed, split.rotation, "hall"))
    biases = sorted({UNBIASED, settings.bias, *settings.biases})
    most = [min(capacity(rows, attractive, smiling, b) for b in biases) for rows in (train, validation)]
    counts = [n // 20 * 20 for n in (min(most[0], settings.train), most[1])]  # whole images at biases in tenths
    tested = capacity(test, attractive, smiling, UNBIASED)
    if min(*counts, tested) < _FEWEST:
        return None
    draws = [
        {b: sample(rows, attractive, smiling, n, b, rng) for b in biases}
        for rows, n in zip((train, validation), counts, strict=True)
    ]
    return Samples(*draws, sample(test, attractive, smiling, tested, UNBIASED, rng))


def _labels(faces: FaceTable) -> tuple[np.ndarray, np.ndarray]:
    """`attractive` and `smiling` of every image, False where a label is missing: bool (N,) each."""
    return tuple(faces.frame[name].fillna(False).to_numpy(bool) for name in ("attractive", "smiling"))


def measure_fairness(
    representations: list[Representation], study, samples: list[Samples | None], settings: FairnessSettings
) -> pd.DataFrame:
    """Train and test the classifier on every representation, split and bias.

    Parameters
    ----------
    study : Study
        Anything that has its `faces` and `splits`.
    samples : list of Samples or None
        Of `draw_samples`, for each split.

    Returns
    -------
    DataFrame
        `representation`, `bias`, `rotation`, `seed`, `acc`, `tpr_smiling`, `tpr_not_smiling`, `gap` (their difference;
        its absolute value is Eq. Opp.), all in percent, `penalty` (the chosen C), and counts of people and images.
        Empty where the labels are missing.
    """
    jobs = [
        delayed(_train_and_test)(z, number, study.faces, split, drawn, bias, settings)
        for number, (split, drawn) in enumerate(zip(study.splits, samples, strict=True))
        if drawn is not None
        for z in representations
        for bias in drawn.train
    ]
    return pd.DataFrame(Parallel(n_jobs=-1, prefer="threads")(jobs))


def _train_and_test(z: Representation, number: int, faces, split, samples: Samples, bias: float, settings) -> dict:
    (attractive, smiling), identity = _labels(faces), faces.frame["identity"].to_numpy()
    train, validation, test = samples.train[bias], samples.validation[bias], samples.test
    x_train, x_validation = z.rows(number, train), z.rows(number, validation)
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)).fit(x_train, attractive[train])
        for c in settings.inverse_penalties
    ]
    truth = attractive[validation]
    best = int(np.argmax([balanced_accuracy(truth, model.predict(x_validation)) for model in models]))
    rates = MetricFrame(
        metrics={"tpr": true_positive_rate, "acc": accuracy_score},
        y_true=attractive[test],
        y_pred=models[best].predict(z.rows(number, test)),
        sensitive_features=np.where(smiling[test], "smiling", "not smiling"),
    )
    tpr = 100 * rates.by_group["tpr"]
    return {
        "representation": z.name,
        "bias": bias,
        "rotation": split.rotation,
        "seed": split.seed,
        "acc": 100 * rates.overall["acc"],
        "tpr_smiling": tpr["smiling"],
        "tpr_not_smiling": tpr["not smiling"],
        "gap": tpr["smiling"] - tpr["not smiling"],
        "penalty": settings.inverse_penalties[best],
        "n_train": len(train),
        "n_train_subjects": len(np.unique(identity[train])),
        "n_test": len(test),
        "n_test_subjects": len(np.unique(identity[test])),
    }

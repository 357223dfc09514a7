"""Attractiveness under expression bias: does a classifier trained on smiling beauties reject those who do not smile?

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
    """The images of one split, people disjoint; all arrays are row numbers of the face table.

    Attributes
    ----------
    train, validation : dict of float to int array
        By bias.
    test : int array
        As many of each of the four kinds, attractive or not, smiling or not.
    """

    train: dict[float, np.ndarray]
    validation: dict[float, np.ndarray]
    test: np.ndarray


def sample(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, count: int, bias: float, rng) -> np.ndarray:
    """Draw `count` rows, half of them attractive: a share `bias` of those smile, and 1 − `bias` of the others.

    Parameters
    ----------
    rows : int array
    attractive, smiling : bool array (N,)
        Of the whole table.
    count : int
        At most `capacity(...)`.
    bias : float
        0.5 is no bias; the poster's biased set has 0.7.
    rng : numpy Generator

    Returns
    -------
    int array, sorted
    """
    cells, shares = _cells(rows, attractive, smiling), _shares(bias)
    drawn = [rng.permutation(cell)[: int(count / 2 * shares[kind] + 1e-9)] for kind, cell in cells.items()]
    return np.sort(np.concatenate(drawn))


def capacity(rows: np.ndarray, attractive: np.ndarray, smiling: np.ndarray, bias: float) -> int:
    """The most rows that `sample` can draw at this bias: the rarest kind sets it. An even number."""
    cells, shares = _cells(rows, attractive, smiling), _shares(bias)
    return 2 * int(min(len(cell) / shares[kind] for kind, cell in cells.items()))


def _shares(bias: float) -> dict[tuple[bool, bool], float]:
    """Of each half, by (attractive, smiling)."""
    return {(True, True): bias, (True, False): 1 - bias, (False, True): 1 - bias, (False, False): bias}


def _cells(rows, attractive, smiling) -> dict[tuple[bool, bool], np.ndarray]:
    kinds = [(a, s) for a in (True, False) for s in (True, False)]
    return {(a, s): rows[(attractive[rows] == a) & (smiling[rows] == s)] for a, s in kinds}


def draw_samples(faces: FaceTable, split: Split, settings: FairnessSettings) -> Samples | None:
    """Sample a split's training, validation and test sets: of its `probe`, `validation` and `test` people, who are
    disjoint and whom the split's head was not trained on.

    Every bias gets the same number of images: `settings.train`, or what the rarest kind at the strongest bias allows.
    None where too few images are labelled with both attributes.
    """
    known = faces.frame[["attractive", "smiling"]].notna().all(axis=1).to_numpy()
    attractive, smiling = _labels(faces)
    train, held, tested = (rows[known[rows]] for rows in (split.probe, split.validation, split.test))
    rng = np.random.default_rng(derive_seed(split.seed, split.rotation, "hall"))
    biases = sorted({UNBIASED, settings.bias, *settings.biases})
    counts = [min(capacity(rows, attractive, smiling, b) for b in biases) for rows in (train, held)]
    counts = [n // 20 * 20 for n in (min(counts[0], settings.train), counts[1])]  # whole images at biases in tenths
    count = capacity(tested, attractive, smiling, UNBIASED)
    if min(*counts, count) < _FEWEST:
        return None
    draws = [
        {b: sample(rows, attractive, smiling, n, b, rng) for b in biases}
        for rows, n in zip((train, held), counts, strict=True)
    ]
    return Samples(*draws, sample(tested, attractive, smiling, count, UNBIASED, rng))


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
        Its `faces` and `splits` are used.
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
        delayed(_train_and_test)(z.rows, z.name, s, study.faces, split, drawn, bias, settings)
        for s, (split, drawn) in enumerate(zip(study.splits, samples, strict=True))
        if drawn is not None
        for z in representations
        for bias in drawn.train
    ]
    return pd.DataFrame(Parallel(n_jobs=-1, prefer="threads")(jobs))


def _train_and_test(rows_of, name, s, faces, split, samples, bias, settings) -> dict:
    (attractive, smiling), identity = _labels(faces), faces.frame["identity"].to_numpy()
    train, held, test = samples.train[bias], samples.validation[bias], samples.test
    seen, checked = rows_of(s, train), rows_of(s, held)
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)).fit(seen, attractive[train])
        for c in settings.inverse_penalties
    ]
    best = int(np.argmax([balanced_accuracy(attractive[held], model.predict(checked)) for model in models]))
    by_group = MetricFrame(
        metrics={"tpr": true_positive_rate, "acc": accuracy_score},
        y_true=attractive[test],
        y_pred=models[best].predict(rows_of(s, test)),
        sensitive_features=np.where(smiling[test], "smiling", "not smiling"),
    )
    tpr = 100 * by_group.by_group["tpr"]
    return {
        "representation": name,
        "bias": bias,
        "rotation": split.rotation,
        "seed": split.seed,
        "acc": 100 * by_group.overall["acc"],
        "tpr_smiling": tpr["smiling"],
        "tpr_not_smiling": tpr["not smiling"],
        "gap": tpr["smiling"] - tpr["not smiling"],
        "penalty": settings.inverse_penalties[best],
        "n_train": len(train),
        "n_train_subjects": len(np.unique(identity[train])),
        "n_test": len(test),
        "n_test_subjects": len(np.unique(identity[test])),
    }

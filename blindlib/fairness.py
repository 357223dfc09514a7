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

from blindlib.facetable import FaceTable
from blindlib.judge import balanced_accuracy
from blindlib.presets import FairnessConfig
from blindlib.seeds import derive_seed
from blindlib.splits import Split

UNBIASED = 0.5


@dataclass(frozen=True)
class Hall:
    """The images of one seed, people disjoint; all arrays are row numbers of the face table.

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
        If a kind has too few rows all kinds shrink together, so that the shares hold.
    bias : float
        0.5 is no bias; the poster's biased set has 0.7.
    rng : numpy Generator

    Returns
    -------
    int array, sorted
    """
    shares = {(True, True): bias, (True, False): 1 - bias, (False, True): 1 - bias, (False, False): bias}
    cells = {kind: rows[(attractive[rows] == kind[0]) & (smiling[rows] == kind[1])] for kind in shares}
    half = min(count / 2, *(len(cell) / shares[kind] for kind, cell in cells.items()))
    drawn = [rng.permutation(cell)[: int(half * shares[kind] + 1e-9)] for kind, cell in cells.items()]
    return np.sort(np.concatenate(drawn))


def make_hall(faces: FaceTable, split: Split, config: FairnessConfig) -> Hall | None:
    """Divide people that no head of this split has seen into training, validation and test, and sample each.

    Returns
    -------
    Hall or None
        None where the face table has too few images labelled with both attributes.
    """
    labels = faces.frame[["attractive", "smiling"]]
    rows = split.test[labels.notna().all(axis=1).to_numpy()[split.test]]
    attractive, smiling = (labels[name].fillna(False).to_numpy(bool) for name in labels)
    identity = faces.frame["identity"].to_numpy()
    rng = np.random.default_rng(derive_seed(split.seed, split.rotation, "hall"))
    people = rng.permutation(np.unique(identity[rows]))
    tested, held = round(config.test_share * len(people)), round(0.12 * len(people))
    parts = [rows[np.isin(identity[rows], own)] for own in np.split(people, [tested, tested + held])]
    biases = sorted({UNBIASED, config.bias, *config.biases})
    train, validation = (
        {b: sample(part, attractive, smiling, config.train, b, rng) for b in biases} for part in (parts[2], parts[1])
    )
    hall = Hall(train, validation, sample(parts[0], attractive, smiling, len(rows), UNBIASED, rng))
    enough = min(map(len, (*train.values(), *validation.values(), hall.test))) >= 12
    return hall if enough else None


def measure_fairness(
    features: dict[str, np.ndarray], faces: FaceTable, splits: list[Split], config: FairnessConfig
) -> pd.DataFrame:
    """Train and test the classifier on every representation, split and bias.

    Parameters
    ----------
    features : dict of str to float array
        (S, N, D) or (1, N, D) by representation.
    faces, splits, config

    Returns
    -------
    DataFrame
        `representation`, `bias`, `rotation`, `seed`, `acc`, `tpr_smiling`, `tpr_not_smiling`, `gap` (their difference;
        its absolute value is Eq. Opp.), all in percent, `penalty` (the chosen C), and counts of people and images.
        Empty where the labels are missing.
    """
    halls = [make_hall(faces, split, config) for split in splits]
    jobs = [
        delayed(_one)(name, z[s % len(z)], faces, split, hall, bias, config)
        for s, (split, hall) in enumerate(zip(splits, halls, strict=True))
        if hall is not None
        for name, z in features.items()
        for bias in hall.train
    ]
    return pd.DataFrame(Parallel(n_jobs=-1, prefer="threads")(jobs))


def _one(name, z, faces, split, hall, bias, config) -> dict:
    attractive, smiling = (faces.frame[n].fillna(False).to_numpy(bool) for n in ("attractive", "smiling"))
    identity = faces.frame["identity"].to_numpy()
    train, held = hall.train[bias], hall.validation[bias]
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)).fit(z[train], attractive[train])
        for c in config.inverse_penalties
    ]
    best = int(np.argmax([balanced_accuracy(attractive[held], model.predict(z[held])) for model in models]))
    guess = models[best].predict(z[hall.test])
    by_group = MetricFrame(
        metrics={"tpr": true_positive_rate, "acc": accuracy_score},
        y_true=attractive[hall.test],
        y_pred=guess,
        sensitive_features=np.where(smiling[hall.test], "smiling", "not smiling"),
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
        "penalty": config.inverse_penalties[best],
        "n_train": len(train),
        "n_train_subjects": len(np.unique(identity[train])),
        "n_test": len(hall.test),
        "n_test_subjects": len(np.unique(identity[hall.test])),
    }

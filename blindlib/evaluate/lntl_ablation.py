"""Which head, and which task, loses identity as the published φ_LNTL does? Heads of one split, on validation people."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.lntl import LNTL
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.evaluate.verification import best_threshold
from blindlib.metrics import balanced_accuracy

_ROUNDS, _STEPS = 4, 75  # of a head, at most; our choice: what they show does not wait for more
_SLOWER = 0.1  # of the study's rate: at the whole of it plain heads with a free norm diverge
_IMAGES = 1000  # at most, whose pairs are verified
COLUMNS = ("y", "head", "norm", "ID", "Gender", "Emotion")


def ablate(study, strength: float) -> pd.DataFrame:
    """φ_LNTL of a study's first split by every task, with and without the residual path, with and without x's norm.

    Returns
    -------
    DataFrame
        A row for x and for each of the heads: `y`, the task; `head`, `residual` or `plain`; `norm`, `kept` or `free`;
        and, in percent, what is told of validation people, none of whom trained the head: `ID`, the best
        balanced accuracy of verification; `Gender` and `Emotion`, that of a fresh linear probe on standardised
        features, trained on one half of them and tested on the other, both ways; NaN without labels, and of a head
        that diverged. Empty without emotion labels.
    """
    if not study.faces.has("emotion"):
        return pd.DataFrame(columns=list(COLUMNS))
    data, settings = TrainingSet.of(study, pick_device()), study.preset.lntl
    data = replace(data, head=data.head[:1], validation=data.validation[:1])
    short = {"rounds": min(settings.rounds, _ROUNDS), "head_steps": min(settings.head_steps, _STEPS)}
    settings = replace(settings, strengths=(strength,), rate=_SLOWER * settings.rate, **short)
    tasks = ["identity", "demographic"] if (data.demographic[data.head[0]] >= 0).any() else ["identity"]
    validation = study.splits[0].validation
    x = study.embedded[0].x
    rows = [{"y": "none", "head": "x", "norm": "kept", **_judged(x[validation], study)}]
    for task, residual, keep_norm in product(tasks, (True, False), (True, False)):
        form = replace(settings, residual=residual, keep_norm=keep_norm)
        named = {"y": task, "head": "residual" if residual else "plain", "norm": "kept" if keep_norm else "free"}
        try:
            blinder = LNTL(task=task, settings=form, random_state=study.preset.seeds[0]).fit_splits(data)
            rows.append(named | _judged(blinder.representation(x).rows(0, validation), study))
        except ValueError as error:
            if "NaN" not in str(error):
                raise
            rows.append(named)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _judged(z: np.ndarray, study) -> dict[str, float]:
    """ID, Gender and Emotion of the first split's validation people, of whom z (rows, D) is."""
    validation = study.splits[0].validation
    frame, part = study.faces.frame.iloc[validation], study.faces.part.to_numpy()[validation]
    identity = pd.factorize(frame["identity"])[0]
    found = {"ID": _verify(z, identity, pd.factorize(part)[0])}
    for name, labels in (("Gender", frame["gender"].to_numpy()), ("Emotion", study.hidden[validation])):
        known = pd.notna(labels)
        found[name] = _read(z[known], labels[known].astype(str), identity[known])
    return found


def _verify(z: np.ndarray, identity: np.ndarray, part: np.ndarray) -> float:
    """Balanced accuracy of the best threshold on the distances of pairs, both of one data set (part)."""
    some = np.sort(np.random.default_rng(0).permutation(len(z))[:_IMAGES])
    distance, same, together = pdist(z[some]), *(pdist(v[some, None]) == 0 for v in (identity, part))
    distance, same = distance[together], same[together]
    return balanced_accuracy(same, distance <= best_threshold(distance, same)) if same.any() else float("nan")


def _read(z: np.ndarray, labels: np.ndarray, identity: np.ndarray) -> float:
    """What a fresh linear probe reads; NaN where a half of the people would lack a class."""
    people = pd.Series(identity).groupby(labels).nunique()
    if len(people) < 2 or people.min() < 2:
        return float("nan")
    halves = list(StratifiedGroupKFold(2).split(z, labels, identity))
    if any(len(np.unique(labels[half])) < len(people) for half, _ in halves):
        return float("nan")
    attacker = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    return balanced_accuracy(labels, cross_val_predict(attacker, z, labels, cv=halves))

"""Ablate the heads: LNTL's task and form, kinds of adversaries, adversaries restarted, training twice as long."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.evaluate.verification import best_threshold
from blindlib.metrics import balanced_accuracy

_ROUNDS, _STEPS = 4, 75  # of a head, at most; our choice: what they show does not wait for more
_SLOWER = 0.1  # of the study's rate: at the whole of it plain heads with a free norm diverge
_IMAGES = 1000  # at most, whose pairs are verified
COLUMNS = ("y", "head", "norm", "ID", "Gender", "Emotion")


def first_split(study) -> TrainingSet:
    """Return a study's training set with the first split alone."""
    data = TrainingSet.of(study, pick_device())
    return replace(data, head=data.head[:1], validation=data.validation[:1])


def fit_apart(blinder: HeadBlinder, study) -> HeadBlinder:
    """Train a blinder on every split of a study, and select λ, without saving it over the main path's banks."""
    return blinder.fit_splits(TrainingSet.of(study, pick_device(blinder.device)), budget=study.preset.id_budget)


def longer(blinder: HeadBlinder) -> HeadBlinder:
    """Return the same blinder, not trained, with twice the rounds and twice the patience."""
    settings = blinder.used_settings
    settings = replace(settings, rounds=2 * settings.rounds, patience=2 * settings.patience)
    return clone(blinder).set_params(settings=settings)


def compare_training(study, variants: dict[str, HeadBlinder]) -> pd.DataFrame:
    """Train variants of a blinder on the first split: their histories, one after another, with a column `variant`.

    No identity tolerance holds, so that every variant trains until its validation probes stop falling.
    """
    data = first_split(study)
    tables = [
        pd.DataFrame(blinder.fit_splits(data, budget=100.0).history_).assign(variant=name)
        for name, blinder in variants.items()
    ]
    return pd.concat(tables, ignore_index=True)


def ablate_form(study, strength: float) -> pd.DataFrame:
    """Train φ_LNTL on the first split by every task, with and without the residual path, with and without x's norm.

    Returns
    -------
    DataFrame
        A row for x and for each head: `y`, the task; `head`, `residual` or `plain`; `norm`, `kept` or `free`. In
        percent, of validation subjects: `ID`, the best balanced accuracy of verification; `Gender` and `Emotion`, that
        of a linear probe trained on one half of them and tested on the other, both ways. NaN without labels, and of a
        head that diverged. Empty without emotion labels.
    """
    if not study.faces.has("emotion"):
        return pd.DataFrame(columns=list(COLUMNS))
    data, settings = first_split(study), study.preset.lntl
    short = {"rounds": min(settings.rounds, _ROUNDS), "head_steps": min(settings.head_steps, _STEPS)}
    settings = replace(settings, strengths=(strength,), rate=_SLOWER * settings.rate, **short)
    tasks = ["identity", "demographic"] if (data.demographic[data.head[0]] >= 0).any() else ["identity"]
    validation, x = study.splits[0].validation, study.embedded[0].x
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
    """Score ID, Gender and Emotion of the first split's validation subjects, whose representation is z (rows, D)."""
    validation = study.splits[0].validation
    frame, part = study.faces.frame.iloc[validation], study.faces.part.to_numpy()[validation]
    identity = pd.factorize(frame["identity"])[0]
    found = {"ID": _verify(z, identity, pd.factorize(part)[0])}
    for name, labels in (("Gender", frame["gender"].to_numpy()), ("Emotion", study.hidden[validation])):
        known = pd.notna(labels)
        found[name] = _predict(z[known], labels[known].astype(str), identity[known])
    return found


def _verify(z: np.ndarray, identity: np.ndarray, part: np.ndarray) -> float:
    """Return the balanced accuracy of the best threshold on distances of pairs, both of one data set (part)."""
    some = np.sort(np.random.default_rng(0).permutation(len(z))[:_IMAGES])
    distance, same, together = pdist(z[some]), *(pdist(v[some, None]) == 0 for v in (identity, part))
    distance, same = distance[together], same[together]
    return balanced_accuracy(same, distance <= best_threshold(distance, same)) if same.any() else float("nan")


def _predict(z: np.ndarray, labels: np.ndarray, identity: np.ndarray) -> float:
    """Return a linear probe's balanced accuracy; NaN where a half of the subjects would lack a class."""
    subjects = pd.Series(identity).groupby(labels).nunique()
    if len(subjects) < 2 or subjects.min() < 2:
        return float("nan")
    halves = list(StratifiedGroupKFold(2).split(z, labels, identity))
    if any(len(np.unique(labels[half])) < len(subjects) for half, _ in halves):
        return float("nan")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    return balanced_accuracy(labels, cross_val_predict(probe, z, labels, cv=halves))


def changed_verdicts(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Join two tables of verdicts by claim and column: `before`, `after` and whether the verdict changed."""
    keys = ["id", "column"]
    table = before[[*keys, "verdict"]].merge(after[[*keys, "verdict", "estimate", "low", "high"]], on=keys)
    table = table.rename(columns={"verdict_x": "before", "verdict_y": "after"})
    return table.assign(changed=table["before"] != table["after"])

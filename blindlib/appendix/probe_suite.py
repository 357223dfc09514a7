"""Fit more kinds of probe than the main path, each on both views, by the number of training subjects.

Settings are selected on validation subjects, and so is the *selected* probe: in every split one of all kinds and views.
A weak probe does not show that an attribute is gone (Elazar & Goldberg 2018; Ravfogel et al. 2022 on kernels).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed, spread
from blindlib.data.splits import Split
from blindlib.evaluate.probes import (
    FITTERS,
    SELECTED,
    VIEWS,
    Task,
    labelled_splits,
    probe_name,
    score,
    select,
    train_networks,
    view_of,
)
from blindlib.evaluate.results import summarise, tidy
from blindlib.settings import ProbeSettings

ALL = 10**6  # training subjects: all that there are
SUBJECTS = (16, 64, 256, ALL)  # of a learning curve; our choice
_FEWEST = 10  # training images of every class; our choice
_SETTINGS = ProbeSettings(svm_c=(1.0, 10.0))


def _as_main(kind: str, view: str, *data) -> tuple[float, np.ndarray]:
    return FITTERS[kind](*data, _SETTINGS)


def _network(view: str, *data) -> tuple[float, np.ndarray]:
    *parts, task, split = data
    return train_networks([parts], task, [split], _SETTINGS, view)[0]


def _neighbours(view: str, *data) -> tuple[float, np.ndarray]:
    return select([KNeighborsClassifier(k, weights="distance") for k in (5, 15)], *data)


def _boosting(view: str, *data) -> tuple[float, np.ndarray]:
    """On standardised features the principal components of 90 % of the variance are boosted: trees depend on axes."""
    seed = derive_seed(data[-1].seed, "boosting") % 2**32
    options = {"max_iter": 60, "max_leaf_nodes": 8, "max_bins": 63, "max_features": 0.2}  # our choice: fast
    boosting = HistGradientBoostingClassifier(**options, class_weight="balanced", random_state=seed)
    turned = make_pipeline(PCA(0.9, whiten=True, random_state=seed), boosting)
    return select([turned if view == "standardised" else boosting], *data)


KINDS: dict[str, Callable[..., tuple[float, np.ndarray]]] = {
    **{kind: partial(_as_main, kind) for kind in FITTERS},
    **{"NN": _network, "kNN": _neighbours, "boosting": _boosting},
}


def run_suite(
    representation: Representation,
    task: Task,
    splits: list[Split],
    identity: np.ndarray,
    *,
    kinds: tuple[str, ...] = tuple(KINDS),
    subjects: tuple[int, ...] = (ALL,),
) -> list[dict]:
    """Train and test every kind of probe on both views of every split, by the number of training subjects.

    Parameters
    ----------
    identity : array (N,)
        Subjects of the rows.
    kinds : tuple of str
        Of `KINDS`.
    subjects : tuple of int
        Numbers of training subjects. Smaller sets are parts of larger ones. A number above what there is takes all. A
        set that is smaller and has fewer than ten images of a class is left out.

    Returns
    -------
    list of dict
        Rows as `probes.run_probes` gives them, for every kind and view, and for `selected`.
    """
    fitted = suite_guesses(representation, task, labelled_splits(splits, task, identity), identity, kinds, subjects)
    return [
        {"task": task.name, "probe": name, "protocol": "B"} | score(task, split, guess, identity)
        for split, _, guesses in fitted
        for name, guess in guesses.items()
    ]


def suite_guesses(
    representation: Representation,
    task: Task,
    splits: list[Split],
    identity: np.ndarray,
    kinds: tuple[str, ...],
    subjects: tuple[int, ...],
) -> list[tuple[Split, bool, dict[str, np.ndarray]]]:
    """Predict the test images of splits that hold labelled images alone, as `run_suite`, for callers who score.

    Returns for each split and number of subjects the split with its training set reduced to them, whether they are
    all, and the predictions (test images,) of every probe and of `selected`, int64 codes.
    """
    representation.serves(len(splits))
    sized = list(_sized(task, splits, identity, subjects))
    jobs = [(number, split, view) for number, split, _ in sized for view in VIEWS]

    def work(job: tuple) -> dict[str, tuple[float, np.ndarray]]:
        number, split, view = job
        parts = view_of(representation, number, split, view)
        return {probe_name(kind, view): KINDS[kind](view, *parts, task, split) for kind in kinds}

    answers, fitted = iter(spread(work, jobs)), []
    for _, split, whole in sized:
        found = {name: answer for _ in VIEWS for name, answer in next(answers).items()}
        guesses = {name: guess for name, (_, guess) in found.items()}
        guesses[SELECTED] = max(found.values(), key=lambda answer: answer[0])[1]
        fitted.append((split, whole, guesses))
    return fitted


def _sized(task: Task, splits: list[Split], identity: np.ndarray, subjects: tuple[int, ...]):
    """Yield every split with every number of training subjects: its number, itself, and whether these are all."""
    for number, split in enumerate(splits):
        own = np.random.default_rng(derive_seed(split.seed, "suite")).permutation(np.unique(identity[split.probe]))
        for size in sorted({min(size, len(own)) for size in subjects}):
            rows = split.probe[np.isin(identity[split.probe], own[:size])]
            fewest = np.bincount(task.codes[rows], minlength=len(task.classes))[np.unique(task.codes[split.probe])]
            if size == len(own) or fewest.min() >= _FEWEST:
                yield number, replace(split, probe=rows), size == len(own)


def suite_cells(rows: list[dict], representation: Representation) -> pd.DataFrame:
    """Summarise rows of `run_suite`: cells of `results.summarise` by `representation`, `probe` and `subjects`.

    Splits whose training sets have other numbers of subjects at the same step of the curve are put at their mean.
    """
    results = tidy(rows, ("balanced_accuracy",), representation=representation.name)
    step = results.groupby(["rotation", "seed"])["n_train_subjects"].rank(method="dense", ascending=False)
    mean = results.groupby(step)["n_train_subjects"].mean().round().astype(int)
    return summarise(results.assign(subjects=step.map(mean)), ["representation", "probe", "subjects"])

"""A ladder of attackers, from linear to boosted: what is read of a representation depends on who attacks.

The rungs' settings and the strongest rung are chosen on validation people; test people are looked at once. What a weak
attacker does not read may still be there (Elazar & Goldberg 2018; Ravfogel et al. 2022 on kernels).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed, on_all_cores
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task, support_vectors
from blindlib.metrics import balanced_accuracy

STRONGEST, ENSEMBLE = "strongest", "ensemble"
COLUMNS = ("representation", "task", "attacker", "people", "rotation", "seed", "validation", "value", "chance")


def _linear(seed: int) -> list[BaseEstimator]:
    return [LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")]


def _neighbours(seed: int) -> list[BaseEstimator]:
    return [KNeighborsClassifier(k, weights="distance") for k in (5, 15, 45)]


def _support_vectors(seed: int) -> list[BaseEstimator]:
    return [support_vectors()(C=c, class_weight="balanced") for c in (1.0, 10.0)]


def _forest(seed: int) -> list[BaseEstimator]:
    """On the features as they are, and on principal components: a rotation loses nothing, and trees see other cuts."""
    forest = RandomForestClassifier(300, class_weight="balanced_subsample", random_state=seed)
    return [forest, make_pipeline(PCA(whiten=True, random_state=seed), forest)]


def _boosting(seed: int) -> list[BaseEstimator]:
    boosting = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, class_weight="balanced", random_state=seed)
    return [make_pipeline(PCA(0.9, whiten=True, random_state=seed), boosting)]


def _network(seed: int) -> list[BaseEstimator]:
    common = {"hidden_layer_sizes": (256, 128), "early_stopping": True, "n_iter_no_change": 8, "random_state": seed}
    return [MLPClassifier(alpha=alpha, max_iter=100, **common) for alpha in (0.1, 3.0)]


RUNGS: dict[str, Callable[[int], list[BaseEstimator]]] = {
    "linear": _linear,
    "SVM": _support_vectors,
    "kNN": _neighbours,
    "RF": _forest,
    "boosting": _boosting,
    "MLP": _network,
}
CORE = ("linear", "SVM")  # those that read most of x and of most φ; the others are for longer runs


def climb(
    representation: Representation,
    task: Task,
    splits: list[Split],
    identity: np.ndarray,
    *,
    people: tuple[int, ...],
    rungs: tuple[str, ...] = tuple(RUNGS),
) -> pd.DataFrame:
    """What each rung reads of test people, by the number of people who train it.

    Parameters
    ----------
    identity : array (N,)
        Who is shown.
    people : tuple of int
        How many of a split's attack people train; the smaller sets are parts of the larger ones. What is more than
        there are is all of them.
    rungs : tuple of str
        Of `RUNGS`. Several make an `ensemble` too, the mean of their probabilities.

    Returns
    -------
    DataFrame
        `COLUMNS`: a row for each `attacker`, number of `people`, and split; `validation` and `value` are balanced
        accuracies on validation and on test people, in percent. `strongest` is the attacker that is best on validation
        people.
    """
    representation.serves(len(splits))
    jobs = [
        (number, split, size)
        for number, split in enumerate(splits)
        for size in sorted({min(size, _count(split, task, identity)) for size in people})
    ]
    rows = on_all_cores(lambda job: _one(representation, task, identity, rungs, *job), jobs)
    common = {"representation": representation.name, "task": task.name, "chance": 100 / len(task.classes)}
    return pd.DataFrame([common | row for part in rows for row in part], columns=list(COLUMNS))


def _labelled(rows: np.ndarray, task: Task) -> np.ndarray:
    return rows[task.codes[rows] >= 0]


def _count(split: Split, task: Task, identity: np.ndarray) -> int:
    return len(np.unique(identity[_labelled(split.probe, task)]))


def _one(z, task: Task, identity: np.ndarray, rungs: tuple[str, ...], number: int, split: Split, size: int) -> list:
    """The rows of one split and one number of people."""
    seed = derive_seed(split.seed, "ladder", task.name) % 2**32
    train, validation, test = (_labelled(rows, task) for rows in (split.probe, split.validation, split.test))
    chosen = np.random.default_rng(seed).permutation(np.unique(identity[train]))[:size]
    train = train[np.isin(identity[train], chosen)]
    scaler = StandardScaler().fit(z.rows(number, train))
    x, seen, asked = (scaler.transform(z.rows(number, rows)) for rows in (train, validation, test))
    truth, wanted = task.codes[validation], task.codes[test]
    told = {}  # attacker -> probabilities on validation and on test people
    for rung in rungs:
        tried = [_fitted(model, x, task.codes[train]) for model in RUNGS[rung](seed)]
        on = [(_probabilities(model, seen), model) for model in tried]
        best = max(range(len(on)), key=lambda k: balanced_accuracy(truth, tried[k].classes_[on[k][0].argmax(1)]))
        told[rung] = (on[best][0], _probabilities(on[best][1], asked))
    classes = tried[0].classes_
    if len(rungs) > 1:
        told[ENSEMBLE] = tuple(np.mean([told[rung][part] for rung in rungs], axis=0) for part in (0, 1))
    rows = [
        {
            "attacker": name,
            "validation": balanced_accuracy(truth, classes[on_validation.argmax(1)]),
            "value": balanced_accuracy(wanted, classes[on_test.argmax(1)]),
        }
        for name, (on_validation, on_test) in told.items()
    ]
    rows.append(max(rows, key=lambda row: row["validation"]) | {"attacker": STRONGEST})
    return [row | {"people": size, "rotation": split.rotation, "seed": split.seed} for row in rows]


def _fitted(model: BaseEstimator, x: np.ndarray, y: np.ndarray) -> BaseEstimator:
    return model.fit(x, y)


def _probabilities(model: BaseEstimator, x: np.ndarray) -> np.ndarray:
    """(N, C): probabilities, or what stands in for them where a model has none."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(x)
    return softmax(model.decision_function(x), axis=1)

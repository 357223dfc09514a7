"""A ladder of attackers: what is read of a representation depends on who attacks, and with how many people.

The rungs' settings and the strongest rung are chosen on validation people; test people are looked at once. What a weak
attacker does not read may still be there (Elazar & Goldberg 2018; Ravfogel et al. 2022 on kernels).
"""

from collections.abc import Callable
from dataclasses import replace

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
from blindlib.common import door
from blindlib.common.work import derive_seed, spread, track
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task, labelled_splits, score
from blindlib.evaluate.results import summarise, tidy
from blindlib.evaluate.support_vectors import SupportVectors
from blindlib.metrics import balanced_accuracy, diff
from blindlib.settings import ProbeSettings

STRONGEST, ENSEMBLE = "strongest", "ensemble"
_WIDEST = 512  # dimensions: wider features are brought to their principal components
_WHOLE = (16, 64, 256, 10**6)  # people of `climb_whole`; our choice
_FEWEST = 10  # images of every class: early stopping sets some aside


def _linear(seed: int) -> list[BaseEstimator]:
    return [LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")]


def _neighbours(seed: int) -> list[BaseEstimator]:
    return [KNeighborsClassifier(k, weights="distance") for k in (5, 15)]


def _support_vectors(seed: int) -> list[BaseEstimator]:
    return [SupportVectors(C=c, class_weight="balanced") for c in (1.0, 10.0)]


def _forest(seed: int) -> list[BaseEstimator]:
    """On the features as they are, and on principal components: a rotation loses nothing, and trees see other cuts."""
    forest, turned = (RandomForestClassifier(100, class_weight="balanced_subsample", random_state=seed) for _ in "12")
    return [forest, make_pipeline(PCA(whiten=True, random_state=seed), turned)]


def _boosting(seed: int) -> list[BaseEstimator]:
    options = {"max_iter": 60, "max_leaf_nodes": 8, "max_bins": 63}  # so few bins read as well, in a third of the time
    boosting = HistGradientBoostingClassifier(**options, class_weight="balanced", random_state=seed)
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


@door.takes(identity=door.labels)
def climb(
    representation: Representation, task: Task, splits: list[Split], settings: ProbeSettings, identity: np.ndarray
) -> list[dict]:
    """What each rung reads of test people, by the number of people who train it.

    The settings' `ladder` names the rungs, of `RUNGS`; several make an `ensemble` too, the mean of their probabilities.
    Their `ladder_people` say how many of a split's attack people train: smaller sets are parts of larger ones, and what
    is more than there are is all of them; a set that is smaller and has fewer than ten images of a class is left out.
    `identity` (N,) is who is shown.

    Returns
    -------
    list of dict
        As `probes.run_probes`, of the protocol `ladder`, with the rung as `probe`; and `strongest`, the one that is
        best on validation people. With all attack people that one is the probe `ladder` of protocol B.
    """
    splits = labelled_splits(splits, task, identity)
    rows = []
    for split, whole, guesses in attacks(representation, task, splits, settings, identity):
        for name, guess in guesses.items():
            row = {"task": task.name, **score(task, split, guess, identity)}
            rows.append(row | {"probe": name, "protocol": "ladder"})
            if whole and name == STRONGEST:
                rows.append(row | {"probe": "ladder", "protocol": "B"})
    return rows


def attacks(
    representation: Representation, task: Task, splits: list[Split], settings: ProbeSettings, identity: np.ndarray
) -> list[tuple[Split, bool, dict[str, np.ndarray]]]:
    """What every rung guesses, by split and size of the training set: for those who score it themselves.

    The splits hold labelled images alone, for the rest see `climb`. Returns of each split and size the split with its
    attack people reduced to them, whether they are all, and the guesses (test images,) of every rung, int64 codes.
    """
    representation.serves(len(splits))
    jobs = []
    for number, split in enumerate(splits):
        people = np.random.default_rng(derive_seed(split.seed, "ladder")).permutation(np.unique(identity[split.probe]))
        for size in sorted({min(size, len(people)) for size in settings.ladder_people}):
            own = split.probe[np.isin(identity[split.probe], people[:size])]
            if np.bincount(task.codes[own])[np.unique(task.codes[split.probe])].min() < _FEWEST and size < len(people):
                continue
            jobs.append((number, replace(split, probe=own), size == len(people)))
    climbed = spread(lambda job: _guesses(representation, task, settings.ladder, *job[:2]), jobs)
    return [(split, whole, guesses) for (_, split, whole), guesses in zip(jobs, climbed, strict=True)]


def climb_whole(representations: list[Representation], task: Task, study) -> pd.DataFrame:
    """Every rung with 16, 64, 256 and all attack people against every representation of a study, as `curve` gives it.

    Adds `diff` (percent, of the mean): the share of what the same attacker with as many people reads of the first
    representation, x, above chance, that it does not read of this one.
    """
    settings = replace(study.preset.probes, ladder=tuple(RUNGS), ladder_people=_WHOLE)
    identity, tables = study.faces.frame["identity"].to_numpy(), []
    for z in track(representations, "the whole ladder", unit="representation"):
        rows = climb(z, task, study.splits, settings, identity)
        tables.append(tidy(rows, ("balanced_accuracy",), representation=z.name))
    cells = curve(pd.concat(tables, ignore_index=True))
    of_x = cells[cells["representation"] == representations[0].name].set_index(["probe", "people"])["mean"]
    x = of_x.reindex(pd.MultiIndex.from_frame(cells[["probe", "people"]])).to_numpy()
    return cells.assign(diff=list(map(diff, x, cells["mean"], cells["chance"])))


def settings_tried(settings: ProbeSettings) -> dict[str, int]:
    """How many settings of each probe of protocol B and of each rung, `ladder: …`, validation people choose from."""
    probes = {"NN": settings.nn_hidden, "SVM": settings.svm_c, "RF": settings.rf_leaf}
    return {name: len(tried) for name, tried in probes.items()} | {
        f"ladder: {rung}": len(RUNGS[rung](0)) for rung in settings.ladder
    }


def curve(results: pd.DataFrame) -> pd.DataFrame:
    """Result rows -> what every attacker reads by its number of people: cells of `results.summarise`, with `people`.

    Splits that have other numbers of people at the same step of the curve are put at their mean.
    """
    climbed = results[(results["protocol"] == "ladder") & (results["metric"] == "balanced_accuracy")]
    of_split = climbed.groupby(["representation", "rotation", "seed"])["n_train_subjects"]
    climbed = climbed.assign(step=of_split.rank(method="dense", ascending=False))
    people = climbed.groupby("step")["n_train_subjects"].mean().round().astype(int)
    climbed = climbed.assign(people=climbed["step"].map(people))
    return summarise(climbed, ["representation", "probe", "people"])


def _guesses(z: Representation, task: Task, rungs: tuple[str, ...], number: int, split: Split) -> dict[str, np.ndarray]:
    """Every attacker's guesses of one split's test people, int64 codes by name."""
    seed = derive_seed(split.seed, "ladder", task.name) % 2**32
    train = z.rows(number, split.probe)
    wide = PCA(min(_WIDEST, len(train)), random_state=seed) if train.shape[1] > _WIDEST else "passthrough"
    scale = make_pipeline(StandardScaler(), wide).fit(train)
    seen, asked = (scale.transform(z.rows(number, rows)) for rows in (split.validation, split.test))
    x = scale.transform(train)
    y, truth, by_rung = task.codes[split.probe], task.codes[split.validation], {}  # by_rung: probabilities, of both
    classes = np.unique(y)

    def right(probabilities: np.ndarray) -> float:
        return balanced_accuracy(truth, classes[probabilities.argmax(1)])

    for rung in rungs:
        fitted = [model.fit(x, y) for model in RUNGS[rung](seed)]
        on_validation = [_probabilities(model, seen) for model in fitted]
        best = int(np.argmax([right(each) for each in on_validation]))
        by_rung[rung] = on_validation[best], _probabilities(fitted[best], asked)
    if len(rungs) > 1:
        by_rung[ENSEMBLE] = tuple(np.mean([by_rung[rung][part] for rung in rungs], axis=0) for part in (0, 1))
    by_rung[STRONGEST] = max(by_rung.values(), key=lambda both: right(both[0]))
    return {name: classes[on_test.argmax(1)] for name, (_, on_test) in by_rung.items()}


def _probabilities(model: BaseEstimator, x: np.ndarray) -> np.ndarray:
    """(N, C): probabilities, or what stands in for them where a model has none."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(x)
    scores = model.decision_function(x)
    return softmax(scores if scores.ndim > 1 else np.stack([-scores, scores], 1), axis=1)

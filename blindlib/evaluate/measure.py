"""Measure one representation: verification, probes, and whether it has collapsed.

A `study` here is any object with the `faces`, `pairs`, `splits` and `preset` of `blindlib.study.Study`.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blindlib.blinders.representation import Representation
from blindlib.blinders.training import encode
from blindlib.common.files import digest, sha256
from blindlib.data.splits import Split
from blindlib.evaluate.probes import ATTACKERS, PROBES, VIEWS, Task, run_probes
from blindlib.evaluate.results import COLUMNS, load_results, save_results, tidy
from blindlib.evaluate.verification import equal_error_rate, fold_thresholds, pair_distances, roc, tar_at_far
from blindlib.metrics import balanced_accuracy, effective_rank
from blindlib.presets import Preset

if TYPE_CHECKING:
    from blindlib.data.facetable import FaceTable

PROBE_METRICS = ("balanced_accuracy", "accuracy", "top_share")
RELEASED_PROBES = tuple((kind, view) for view in VIEWS for kind in ATTACKERS)  # of rounded φ
EMOTION_PROBES = (*RELEASED_PROBES, *((kind, "standardised") for kind in PROBES if kind not in ATTACKERS))
# Of gender and ethnicity: on rounded φ the network fits rounding error and is less accurate than the others.
KEPT_RELEASED = tuple((kind, view) for view in VIEWS for kind in ("SVM", "linear"))
KEPT_PROBES = (("NN", "whitened"), *KEPT_RELEASED)


def make_tasks(faces: "FaceTable", preset: Preset) -> list[Task]:
    """List the probes' tasks for which the face table has labels: emotion, gender, ethnicity."""
    columns = {"emotion": preset.emotions, "gender": None, "ethnicity": None}
    return [Task(name, *encode(faces.frame[name], classes)) for name, classes in columns.items() if faces.has(name)]


def relative_distances(representation: Representation, study) -> dict[int, np.ndarray]:
    """Return, by seed, the distance of every pair over its fold's threshold (pairs,); at most 1 means one subject.

    A head that has not seen the pair's subjects computes the distance. Heads of different rotations have different
    scales. Dividing by a threshold from other folds puts their distances into one ROC. The result is empty without
    pairs. Raises ValueError if the subjects of a fold trained the fold's head.
    """
    pairs, splits, trained = study.pairs, study.splits, representation.trained
    representation.serves(len(splits))
    if pairs.empty:
        return {}
    same, fold, ends = pairs["same"].to_numpy(), pairs["fold"].to_numpy(), pairs[["left", "right"]].to_numpy()
    identity = pd.factorize(study.faces.frame["identity"])[0]  # `np.isin` on strings took 95 % of verification
    rows, place = np.unique(ends, return_inverse=True)
    moved = pd.DataFrame(place.reshape(-1, 2), columns=["left", "right"])  # pairs as positions in `rows`
    by_seed = {}
    for seed in dict.fromkeys(split.seed for split in splits):
        heads = [n for n, split in enumerate(splits) if split.seed == seed]  # by rising rotation
        of_fold = [heads[k % len(heads)] for k in np.unique(fold)]
        by_head = {n: pair_distances(representation.rows(n, rows), moved) for n in heads}
        distance = np.stack([by_head[n] for n in of_fold])  # (folds, pairs)
        people = [np.unique(identity[splits[n].head]) for n in of_fold]
        seen = np.stack([np.isin(identity[ends], known).any(axis=1) & trained for known in people])
        if seen[fold, np.arange(len(pairs))].any():
            raise ValueError(f"{representation.name}: a head would verify people who trained it; set `crossed`")
        threshold = fold_thresholds(distance, same, fold, seen)
        tested = distance[fold, np.arange(len(pairs))]  # each pair by the head of its own fold
        by_seed[seed] = tested / np.maximum(threshold, 1e-12)[fold]  # a constant φ has threshold 0
    return by_seed


def measure_verification(representation: Representation, study) -> list[dict]:
    """Measure verification: `balanced_accuracy` by fold; EER and TAR over all pairs; no rows without pairs.

    Folds take the place of rotations. A fold's threshold comes from the other folds.
    """
    pairs, identity = study.pairs, pd.factorize(study.faces.frame["identity"])[0]
    same, fold = pairs["same"].to_numpy(), pairs["fold"].to_numpy()
    people = [len(np.unique(identity[pairs.loc[fold == k, ["left", "right"]].to_numpy()])) for k in np.unique(fold)]
    common = {"task": "ID", "probe": "verification", "protocol": "B", "chance": 50.0, "n_train_subjects": None}
    if representation.trained:
        common["n_train_subjects"] = min(len(np.unique(identity[split.head])) for split in study.splits)
    rows = []
    for seed, distance in relative_distances(representation, study).items():
        for k, tested in enumerate(people):
            value = balanced_accuracy(same[fold == k], distance[fold == k] <= 1)
            counts = {"n_test_subjects": tested, "n_test": int((fold == k).sum())}
            rows.append(common | counts | {"seed": seed, "rotation": k, "metric": "balanced_accuracy", "value": value})
        curve = roc(distance, same)
        whole = common | {"seed": seed, "rotation": -1, "n_test_subjects": sum(people), "n_test": len(pairs)}
        rows += [
            whole | {"metric": "eer", "value": equal_error_rate(curve)},
            whole | {"metric": "tar_at_far_1e-3", "value": tar_at_far(curve)},
        ]
    return rows


def measure_collapse(representation: Representation, splits: list[Split]) -> list[dict]:
    """Measure on test subjects whether a representation has collapsed: a row for each metric and split."""
    rows = []
    for number, split in enumerate(splits):
        z = representation.rows(number, split.test)
        common = {"task": "collapse", "rotation": split.rotation, "seed": split.seed, "n_test": len(z)}
        rows += [common | {"metric": metric, "value": value} for metric, value in collapse(z).items()]
    return rows


def collapse(z: np.ndarray) -> dict[str, float]:
    """Return the effective rank of z (N, D) and the smallest and median deviation of a dimension, by name."""
    z = np.asarray(z, np.float64)
    deviation = z.std(0)
    return {
        "effective_rank": effective_rank(z),
        "smallest_deviation": float(deviation.min()),
        "median_deviation": float(np.median(deviation)),
    }


def of_run(representation: Representation, study, attribute: str) -> dict:
    """Return the columns common to all result rows: run, data, method, and the provenance of an attribute's labels."""
    return {
        "preset": study.preset.name,
        "dataset": study.faces.name,
        "representation": representation.name,
        "method": representation.method,
        "strength": representation.strength,
        "provenance": study.faces.provenance_of(attribute, trained=representation.trained),
    }


def measure(representation: Representation, study) -> pd.DataFrame:
    """Measure one representation and return all its result rows.

    Emotion is probed by `EMOTION_PROBES`, gender and ethnicity by `KEPT_PROBES`. Rounded φ is probed by
    `RELEASED_PROBES` and `KEPT_RELEASED`, because no verdict on it uses the forest.

    Raises
    ------
    ValueError
        If the numbers of heads and of splits differ.
    """
    identity, tables = pd.factorize(study.faces.frame["identity"])[0], []
    for task in make_tasks(study.faces, study.preset):
        of_float, released = (KEPT_PROBES, KEPT_RELEASED)
        if task.name == "emotion":
            of_float, released = (EMOTION_PROBES, RELEASED_PROBES)
        probes = released if representation.bits else of_float
        options = {"probes": probes, "identity": identity}
        rows = run_probes(representation, task, study.splits, study.preset.probes, **options)
        tables.append(tidy(rows, PROBE_METRICS, **of_run(representation, study, task.name)))
    rows = measure_verification(representation, study) + measure_collapse(representation, study.splits)
    tables.append(pd.DataFrame(rows).assign(**of_run(representation, study, "identity")).reindex(columns=list(COLUMNS)))
    return pd.concat(tables, ignore_index=True)


def measure_once(representation: Representation, study) -> pd.DataFrame:
    """Measure as `measure`, and cache the rows in `build/<run>/results` under a hash of all that they depend on.

    The hash covers φ itself, the probes' settings, the splits, and the source of this package. An interrupted run
    resumes at the representation that it was measuring.
    """
    representation = representation.kept(len(study.faces))
    rows = np.arange(len(study.faces))
    phi = [
        hashlib.sha256(representation.rows(number, rows)).hexdigest() for number in range(representation.splits or 1)
    ]
    sources = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    key = digest(*phi, repr(study.preset.probes), sha256(study.build / "splits.parquet"), *sources)
    path = study.build / "results" / f"{representation.name.replace(' ', '_')}.{key[:16]}.csv"
    if path.exists():
        return load_results(path)
    results = measure(representation, study)
    return load_results(save_results(results, path))

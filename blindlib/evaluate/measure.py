"""Everything that is measured of one representation: verification, probes, and whether it has collapsed.

A `study` here is anything that has the `faces`, `pairs`, `splits`, `preset` and `hidden` of `blindlib.study.Study`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blindlib.blinders.representation import Representation
from blindlib.blinders.training import encode
from blindlib.common import door
from blindlib.data.splits import Split
from blindlib.evaluate.ladder import climb
from blindlib.evaluate.probes import Task, run_probes
from blindlib.evaluate.results import COLUMNS, tidy
from blindlib.evaluate.verification import equal_error_rate, fold_thresholds, pair_distances, roc, tar_at_far
from blindlib.metrics import balanced_accuracy, effective_rank
from blindlib.presets import Preset

if TYPE_CHECKING:
    from blindlib.data.facetable import FaceTable

ALL_PEOPLE = (10**6,)  # as many people as there are
PROBE_METRICS = ("balanced_accuracy", "accuracy", "top_share")


def make_tasks(faces: "FaceTable", preset: Preset) -> list[Task]:
    """The probes' tasks for which the face table has labels: emotion, gender, ethnicity."""
    columns = {"emotion": preset.emotions, "gender": None, "ethnicity": None}
    return [Task(name, *encode(faces.frame[name], classes)) for name, classes in columns.items() if faces.has(name)]


def relative_distances(representation: Representation, study) -> dict[int, np.ndarray]:
    """By seed, the distance of every pair over its fold's threshold (pairs,); at most 1 means "the same person".

    The distance is by a head that has not seen the pair's people. Heads of different rotations have scales of their
    own; in units of a threshold that the pair's own fold did not set, their distances can stand in one ROC. Empty
    without pairs. Raises ValueError if a fold has no head that its people did not train.
    """
    pairs, splits, trained = study.pairs, study.splits, representation.trained
    representation.serves(len(splits))
    if pairs.empty:
        return {}
    same, fold, ends = pairs["same"].to_numpy(), pairs["fold"].to_numpy(), pairs[["left", "right"]].to_numpy()
    identity = study.faces.frame["identity"].to_numpy()
    rows, place = np.unique(ends, return_inverse=True)
    moved = pd.DataFrame(place.reshape(-1, 2), columns=["left", "right"])  # pairs among the rows that stand in pairs
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
    """Verification rows: `balanced_accuracy` by fold; EER and TAR over all pairs; none without pairs.

    Folds take the place of rotations: a fold's threshold comes from the other folds.
    """
    pairs, identity = study.pairs, study.faces.frame["identity"].to_numpy()
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
    """What tells a blind representation from a dead one: `collapse` of test people, a row for each metric and split."""
    rows = []
    for number, split in enumerate(splits):
        z = representation.rows(number, split.test)
        common = {"task": "collapse", "rotation": split.rotation, "seed": split.seed, "n_test": len(z)}
        rows += [common | {"metric": metric, "value": value} for metric, value in collapse(z).items()]
    return rows


@door.takes(z=door.some(door.matrix, 2))
def collapse(z: np.ndarray) -> dict[str, float]:
    """Of z (N, D) its effective rank, smallest and median deviation of a dimension, by name."""
    z = np.asarray(z, np.float64)
    deviation = z.std(0)
    return {
        "effective_rank": effective_rank(z),
        "smallest_deviation": float(deviation.min()),
        "median_deviation": float(np.median(deviation)),
    }


def of_run(representation: Representation, study, attribute: str) -> dict:
    """What stands in every result row of a representation: run, data, method, and what labels of an attribute are."""
    return {
        "preset": study.preset.name,
        "dataset": study.faces.name,
        "representation": representation.name,
        "method": representation.method,
        "strength": representation.strength,
        "provenance": study.faces.provenance_of(attribute, trained=representation.trained),
    }


def attack_emotion(representation: Representation, task: Task, study, protocols: str, settings) -> list[dict]:
    """What every attacker of Table 1 reads of emotion: rows of the probes and the ladder."""
    identity = study.faces.frame["identity"].to_numpy()
    rows = run_probes(representation, task, study.splits, study.preset.probes, protocols=protocols, identity=identity)
    return rows + climb(representation, task, study.splits, settings, identity)


def measure(representation: Representation, study, *, quick: bool = False, protocols: str = "AB") -> pd.DataFrame:
    """All result rows of one representation.

    Emotion is probed by `protocols` and the ladder of attackers; the rest is probed by B. With `quick` only
    verification, the NN of protocol B and the ladder with all its people, on emotion: for points of a frontier. Raises
    ValueError if the representation has another number of heads than there are splits.
    """
    probes, identity, tables = study.preset.probes, study.faces.frame["identity"].to_numpy(), []
    for task in make_tasks(study.faces, study.preset):
        if quick and task.name != "emotion":
            continue
        here = of_run(representation, study, task.name)
        if task.name != "emotion" or quick:
            rows = run_probes(
                representation, task, study.splits, probes, kinds=("NN",), protocols="B", identity=identity
            )
        if task.name == "emotion" and quick:
            rows += climb(representation, task, study.splits, replace(probes, ladder_people=ALL_PEOPLE), identity)
        elif task.name == "emotion":
            rows = attack_emotion(representation, task, study, protocols, probes)
        tables.append(tidy(rows, PROBE_METRICS, **here))
    rows = measure_verification(representation, study) + measure_collapse(representation, study.splits)
    tables.append(pd.DataFrame(rows).assign(**of_run(representation, study, "identity")).reindex(columns=list(COLUMNS)))
    return pd.concat(tables, ignore_index=True)

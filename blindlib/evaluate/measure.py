"""Everything that is measured of one representation: verification, probes, and whether it has collapsed."""

import numpy as np
import pandas as pd

from blindlib.blinders.representation import take
from blindlib.blinders.training import encode
from blindlib.blinders.validation import balanced_accuracy
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.evaluate.probes import PROBES, Task, run_probes
from blindlib.evaluate.results import COLUMNS, tidy
from blindlib.evaluate.verification import equal_error_rate, fold_thresholds, pair_distances, roc, tar_at_far
from blindlib.presets import Preset

UNTRAINED = ("x", "pixels")  # representations in which nothing of these data sets had a part
PROBE_METRICS = ("balanced_accuracy", "accuracy", "top_share")


def make_tasks(faces: FaceTable, preset: Preset) -> list[Task]:
    """The probes' tasks for which the face table has labels: emotion, gender, ethnicity."""
    columns = {"emotion": preset.emotions, "gender": None, "ethnicity": None}
    return [Task(name, *encode(faces.frame[name], classes)) for name, classes in columns.items() if faces.has(name)]


def relative_distances(
    features: np.ndarray, pairs: pd.DataFrame, splits: list[Split], faces: FaceTable
) -> dict[int, np.ndarray]:
    """Per seed the distance of every pair (pairs,), by a head that has not seen its people, over its fold's threshold.

    Empty without pairs. At most 1 is "the same person". Heads of different rotations have scales of their own; in units
    of the threshold, which the pair's own fold did not set, their distances can stand in one ROC.
    """
    same, fold = pairs["same"].to_numpy(), pairs["fold"].to_numpy()
    identity = faces.frame["identity"].to_numpy()
    out = {}
    if pairs.empty:
        return out
    rows, place = np.unique(pairs[["left", "right"]].to_numpy(), return_inverse=True)
    moved = pd.DataFrame(place.reshape(-1, 2), columns=["left", "right"])  # pairs among the rows that stand in pairs
    for seed in dict.fromkeys(split.seed for split in splits):
        own = [(n, split) for n, split in enumerate(splits) if split.seed == seed]  # by rising rotation
        of_fold = [own[k % len(own)] for k in np.unique(fold)]
        of_split = {n: pair_distances(take(features, n, rows), moved) for n, _ in own}
        distance = np.stack([of_split[n] for n, _ in of_fold])
        trained = len(features) > 1
        seen = np.stack([_meets(identity, pairs, split.head) & trained for _, split in of_fold])
        threshold = fold_thresholds(distance, same, fold, seen)
        own_distance = distance[fold, np.arange(len(pairs))]
        out[seed] = own_distance / np.maximum(threshold, 1e-12)[fold]  # a constant φ has threshold 0
    return out


def _meets(identity: np.ndarray, pairs: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Whether a person of each pair is among the people of some rows: bool (pairs,)."""
    people = np.unique(identity[rows])
    return np.isin(identity[pairs["left"]], people) | np.isin(identity[pairs["right"]], people)


def measure_verification(
    features: np.ndarray, pairs: pd.DataFrame, splits: list[Split], faces: FaceTable
) -> list[dict]:
    """Verification rows of a representation (S or 1, N, D): `balanced_accuracy` by fold; EER and TAR over all pairs.
    None without pairs.

    Folds take the place of rotations: a fold's threshold comes from the other folds.
    """
    if pairs.empty:
        return []
    same, fold = pairs["same"].to_numpy(), pairs["fold"].to_numpy()
    identity = faces.frame["identity"].to_numpy()
    people = [len(np.unique(identity[pairs.loc[fold == k, ["left", "right"]].to_numpy()])) for k in np.unique(fold)]
    fewest = min(len(np.unique(identity[split.head])) for split in splits)
    common = {
        "task": "ID",
        "probe": "verification",
        "protocol": "B",
        "chance": 50.0,
        "n_train_subjects": fewest if len(features) > 1 else None,
    }
    rows = []
    for seed, distance in relative_distances(features, pairs, splits, faces).items():
        for k, tested in enumerate(people):
            held = fold == k
            rows.append(
                {
                    **common,
                    "seed": seed,
                    "rotation": k,
                    "metric": "balanced_accuracy",
                    "value": balanced_accuracy(same[held], distance[held] <= 1),
                    "n_test_subjects": tested,
                    "n_test": int(held.sum()),
                }
            )
        curve = roc(distance, same)
        whole = {**common, "seed": seed, "rotation": -1, "n_test_subjects": sum(people), "n_test": len(pairs)}
        rows += [
            {**whole, "metric": "eer", "value": equal_error_rate(curve)},
            {**whole, "metric": "tar_at_far_1e-3", "value": tar_at_far(curve)},
        ]
    return rows


def measure_collapse(features: np.ndarray, splits: list[Split]) -> list[dict]:
    """What tells a blind representation from a dead one: effective rank, smallest and median deviation, of test people.

    The effective rank is exp of the entropy of the covariance's normalised eigenvalues (Roy & Vetterli 2007).
    """
    rows = []
    for number, split in enumerate(splits):
        z = take(features, number, split.test).astype(np.float64)
        deviation = z.std(0)
        share = np.linalg.eigvalsh(np.cov(z, rowvar=False)).clip(0)
        share = share[share > 0] / max(share.sum(), 1e-300)
        values = {
            "effective_rank": float(np.exp(-(share * np.log(share)).sum())),
            "smallest_deviation": float(deviation.min()),
            "median_deviation": float(np.median(deviation)),
        }
        rows += [
            {
                "task": "collapse",
                "rotation": split.rotation,
                "seed": split.seed,
                "metric": metric,
                "value": value,
                "n_test": len(z),
            }
            for metric, value in values.items()
        ]
    return rows


def measure(
    name: str,
    features: np.ndarray,
    faces: FaceTable,
    pairs: pd.DataFrame,
    splits: list[Split],
    preset: Preset,
    *,
    quick: bool = False,
) -> pd.DataFrame:
    """All result rows of one representation.

    Parameters
    ----------
    name : str
        As it stands in tables.
    features : float array (S, N, D) or (1, N, D), or Blinded
        φ of every image for every split, or of one representation for all.
    faces, pairs, splits, preset
    quick : bool
        Only verification and the NN probe of protocol B on emotion: for points of a frontier.

    Returns
    -------
    DataFrame
        Result rows.
    """
    identity = faces.frame["identity"].to_numpy()
    constant = {"preset": preset.name, "dataset": faces.name, "representation": name}
    rows = []
    for task in make_tasks(faces, preset):
        if quick and task.name != "emotion":
            continue
        kinds, protocols = (PROBES, "AB") if task.name == "emotion" and not quick else (("NN",), "B")
        own = run_probes(features, task, splits, preset.probes, kinds=kinds, protocols=protocols, identity=identity)
        kind = faces.kind_of(task.name, trained=name not in UNTRAINED)
        rows += [tidy(own, PROBE_METRICS, kind=kind, **constant)]
    checks = measure_verification(features, pairs, splits, faces) + measure_collapse(features, splits)
    id_kind = faces.kind_of("identity", trained=name not in UNTRAINED)
    rows += [pd.DataFrame(checks).assign(kind=id_kind, **constant).reindex(columns=list(COLUMNS))]
    return pd.concat(rows, ignore_index=True)

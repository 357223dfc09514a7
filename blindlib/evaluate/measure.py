"""Everything that is measured of one representation: verification, probes, and whether it has collapsed."""

import numpy as np
import pandas as pd

from blindlib.blinders.representation import Representation
from blindlib.blinders.training import encode
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.evaluate.probes import PROBES, Task, run_probes
from blindlib.evaluate.results import COLUMNS, summarise, tidy
from blindlib.evaluate.verification import equal_error_rate, fold_thresholds, pair_distances, roc, tar_at_far
from blindlib.metrics import balanced_accuracy
from blindlib.presets import Preset

PROBE_METRICS = ("balanced_accuracy", "accuracy", "top_share")


def make_tasks(faces: FaceTable, preset: Preset) -> list[Task]:
    """The probes' tasks for which the face table has labels: emotion, gender, ethnicity."""
    columns = {"emotion": preset.emotions, "gender": None, "ethnicity": None}
    return [Task(name, *encode(faces.frame[name], classes)) for name, classes in columns.items() if faces.has(name)]


def relative_distances(representation: Representation, study) -> dict[int, np.ndarray]:
    """Per seed the distance of every pair (pairs,), by a head that has not seen its people, over its fold's threshold.

    Empty without pairs. At most 1 is "the same person". Heads of different rotations have scales of their own; in units
    of the threshold, which the pair's own fold did not set, their distances can stand in one ROC.

    Parameters
    ----------
    study : Study
        Its `pairs`, `splits` and `faces` are used.
    """
    pairs, splits, identity = study.pairs, study.splits, study.faces.frame["identity"].to_numpy()
    same, fold = pairs["same"].to_numpy(), pairs["fold"].to_numpy()
    representation.serves(len(splits))
    by_seed = {}
    if pairs.empty:
        return by_seed
    rows, place = np.unique(pairs[["left", "right"]].to_numpy(), return_inverse=True)
    moved = pd.DataFrame(place.reshape(-1, 2), columns=["left", "right"])  # pairs among the rows that stand in pairs
    for seed in dict.fromkeys(split.seed for split in splits):
        of_seed = [(n, split) for n, split in enumerate(splits) if split.seed == seed]  # by rising rotation
        of_fold = [of_seed[k % len(of_seed)] for k in np.unique(fold)]
        of_split = {n: pair_distances(representation.rows(n, rows), moved) for n, _ in of_seed}
        distance = np.stack([of_split[n] for n, _ in of_fold])
        seen = np.stack([_meets(identity, pairs, split.head) & representation.trained for _, split in of_fold])
        threshold = fold_thresholds(distance, same, fold, seen)
        by_own_head = distance[fold, np.arange(len(pairs))]
        by_seed[seed] = by_own_head / np.maximum(threshold, 1e-12)[fold]  # a constant φ has threshold 0
    return by_seed


def _meets(identity: np.ndarray, pairs: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Whether a person of each pair is among the people of some rows: bool (pairs,)."""
    people = np.unique(identity[rows])
    return np.isin(identity[pairs["left"]], people) | np.isin(identity[pairs["right"]], people)


def measure_verification(representation: Representation, study) -> list[dict]:
    """Verification rows: `balanced_accuracy` by fold; EER and TAR over all pairs; none without pairs.

    Folds take the place of rotations: a fold's threshold comes from the other folds.
    """
    pairs = study.pairs
    if pairs.empty:
        return []
    same, fold = pairs["same"].to_numpy(), pairs["fold"].to_numpy()
    identity = study.faces.frame["identity"].to_numpy()
    people = [len(np.unique(identity[pairs.loc[fold == k, ["left", "right"]].to_numpy()])) for k in np.unique(fold)]
    fewest = min(len(np.unique(identity[split.head])) for split in study.splits)
    common = {
        "task": "ID",
        "probe": "verification",
        "protocol": "B",
        "chance": 50.0,
        "n_train_subjects": fewest if representation.trained else None,
    }
    rows = []
    for seed, distance in relative_distances(representation, study).items():
        for k, tested in enumerate(people):
            held = fold == k
            value = balanced_accuracy(same[held], distance[held] <= 1)
            counts = {"n_test_subjects": tested, "n_test": int(held.sum())}
            rows.append(common | counts | {"seed": seed, "rotation": k, "metric": "balanced_accuracy", "value": value})
        curve = roc(distance, same)
        whole = common | {"seed": seed, "rotation": -1, "n_test_subjects": sum(people), "n_test": len(pairs)}
        rows += [
            whole | {"metric": "eer", "value": equal_error_rate(curve)},
            whole | {"metric": "tar_at_far_1e-3", "value": tar_at_far(curve)},
        ]
    return rows


def measure_collapse(representation: Representation, splits: list[Split]) -> list[dict]:
    """What tells a blind representation from a dead one: effective rank, smallest and median deviation, of test people.

    The effective rank is exp of the entropy of the covariance's normalised eigenvalues (Roy & Vetterli 2007).
    """
    rows = []
    for number, split in enumerate(splits):
        z = representation.rows(number, split.test).astype(np.float64)
        deviation = z.std(0)
        share = np.linalg.eigvalsh(np.cov(z, rowvar=False)).clip(0)
        share = share[share > 0] / max(share.sum(), 1e-300)
        values = {
            "effective_rank": float(np.exp(-(share * np.log(share)).sum())),
            "smallest_deviation": float(deviation.min()),
            "median_deviation": float(np.median(deviation)),
        }
        common = {"task": "collapse", "rotation": split.rotation, "seed": split.seed, "n_test": len(z)}
        rows += [common | {"metric": metric, "value": value} for metric, value in values.items()]
    return rows


def measure(representation: Representation, study, *, quick: bool = False) -> pd.DataFrame:
    """All result rows of one representation.

    Parameters
    ----------
    representation : Representation
    study : Study
        Its `faces`, `pairs`, `splits` and `preset` are used.
    quick : bool
        Only verification and the NN probe of protocol B on emotion: for points of a frontier.

    Raises
    ------
    ValueError
        If the representation has another number of heads than there are splits.
    """
    faces, splits, preset = study.faces, study.splits, study.preset
    identity, trained = faces.frame["identity"].to_numpy(), representation.trained
    constant = {"preset": preset.name, "dataset": faces.name, "representation": representation.name}
    constant |= {"method": representation.method, "strength": representation.strength}
    rows = []
    for task in make_tasks(faces, preset):
        if quick and task.name != "emotion":
            continue
        kinds, protocols = (PROBES, "AB") if task.name == "emotion" and not quick else (("NN",), "B")
        found = run_probes(
            representation, task, splits, preset.probes, kinds=kinds, protocols=protocols, identity=identity
        )
        rows += [tidy(found, PROBE_METRICS, kind=faces.kind_of(task.name, trained=trained), **constant)]
    checks = measure_verification(representation, study) + measure_collapse(representation, splits)
    constant["kind"] = faces.kind_of("identity", trained=trained)
    rows += [pd.DataFrame(checks).assign(**constant).reindex(columns=list(COLUMNS))]
    return pd.concat(rows, ignore_index=True)


def frontier_points(results: pd.DataFrame) -> pd.DataFrame:
    """What every λ costs and hides: `method`, `strength`, `id`, `emotion`, `chance` and half-widths, in %."""
    kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
    kept = kept[kept["strength"].notna() & kept["probe"].isin(["NN", "verification"])]
    columns = ["method", "strength", "id", "id_hw", "emotion", "emotion_hw", "chance"]
    if not {"ID", "emotion"} <= set(kept["task"]):
        return pd.DataFrame(columns=columns)
    cells = summarise(kept, ["method", "strength", "task"])
    sides = [cells[cells["task"] == task].set_index(["method", "strength"]) for task in ("ID", "emotion")]
    names = ({"mean": "id", "half_width": "id_hw"}, {"mean": "emotion", "half_width": "emotion_hw"})
    identity, emotion = (side.rename(columns=name) for side, name in zip(sides, names, strict=True))
    points = identity[["id", "id_hw"]].join(emotion[["emotion", "emotion_hw", "chance"]]).reset_index()
    return points.sort_values(["method", "strength"], ignore_index=True)[columns]

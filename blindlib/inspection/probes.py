"""Probe a representation on both views, verify identities, and check whether it has collapsed.

A probe never sees the subjects that it is tested on. Intervals are over subjects: images of one subject are not
independent. A *leak* is balanced accuracy of the selected probe above chance, by the lower end of its interval. Of
labels that do not leak, about 2.5 in 100 are called a leak by chance.
"""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import roc_auc_score

from blindlib.appendix.probe_suite import ALL, suite_guesses
from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed
from blindlib.data.splits import Split
from blindlib.evaluate.measure import collapse
from blindlib.evaluate.probes import SELECTED, Task
from blindlib.evaluate.verification import (
    best_threshold,
    equal_error_rate,
    fold_thresholds,
    pair_distances,
    roc,
    tar_at_far,
)
from blindlib.inspection.subjects import FOLDS, deal
from blindlib.metrics import balanced_accuracy, interval, spectrum

ATTACKERS = ("linear", "SVM", "NN")  # kinds of probe; our choice: one of them detects each synthetic leak
_NONE = np.empty(0, np.int64)


def mean_recall(truth: np.ndarray, hit: np.ndarray, who: np.ndarray) -> tuple[float, float]:
    """Average `hit` over classes, and give the half-width of its 95 % interval, in percent.

    Parameters
    ----------
    truth : int array (n,)
        The class of each image.
    hit : float array (n,)
        1 where a prediction is right; or a difference of two probes' hits.
    who : array (n,)
        Subjects.

    The variance is that of a mean over clusters, linearised: subjects are drawn, not images. Student's t has as many
    degrees of freedom as the class with fewest subjects has subjects, less one. Where nothing varies the half-width is
    3 over that number (the rule of three). Source: Kish 1965.
    """
    classes, code = np.unique(truth, return_inverse=True)
    count = np.bincount(code)
    recall = np.bincount(code, hit) / count
    subjects, own = np.unique(who, return_inverse=True)
    share = np.bincount(own, (hit - recall[code]) / count[code] / len(classes))
    fewest = min(len(np.unique(own[code == c])) for c in range(len(classes)))
    deviation = np.sqrt(len(subjects) / max(len(subjects) - 1, 1) * np.square(share).sum())
    half = stats.t.ppf(0.975, max(fewest - 1, 1)) * deviation if deviation > 1e-12 else 3 / fewest
    return 100 * float(recall.mean()), 100 * float(half)


def make_splits(task: Task, who: np.ndarray, pool: np.ndarray, count: int, seed: int, validation=None) -> list[Split]:
    """Deal the pool's labelled rows into splits: each subject is tested once, by probes that others train.

    A fifth of the others validate, unless `validation` gives rows for that.
    """
    rng = np.random.default_rng(derive_seed(seed, "folds", task.name))
    rows = pool[task.codes[pool] >= 0]
    fold, splits = deal(task.codes[rows], who[rows], (1 / count,) * count, rng), []
    for number in range(count):
        rest, test = rows[fold != number], rows[fold == number]
        probe, seen = rest, validation
        if validation is None:
            part = deal(task.codes[rest], who[rest], (0.8, 0.2), rng)
            probe, seen = rest[part == 0], rest[part == 1]
        splits.append(Split(number, seed, _NONE, seen[task.codes[seen] >= 0], probe, test))
    return splits


def guesses(
    z: Representation, task: Task, splits: list[Split], who: np.ndarray, attackers: tuple[str, ...] = ATTACKERS
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the rows that the splits test, and each probe's predictions for them, int64 (rows,) by name."""
    found = [of_split for *_, of_split in suite_guesses(z, task, splits, who, tuple(attackers), (ALL,))]
    rows = np.concatenate([split.test for split in splits])
    return rows, {name: np.concatenate([of_split[name] for of_split in found]) for name in found[0]}


def accuracy(truth: np.ndarray, guess: np.ndarray, who: np.ndarray, classes: int) -> dict[str, float]:
    """Return balanced accuracy, its interval over subjects, and chance: `value`, `low`, `high`, `chance`, percent."""
    value, half = mean_recall(truth, (guess == truth).astype(float), who)
    return {"value": value, "low": max(value - half, 0.0), "high": min(value + half, 100.0), "chance": 100 / classes}


def readings(z: Representation, task: Task, splits: list[Split], who: np.ndarray, attackers=ATTACKERS) -> pd.DataFrame:
    """Measure every probe, in percent.

    Returns
    -------
    DataFrame
        A row for each probe: `representation`, `label`, `attacker`, `train_people` (of the smallest split), `value`
        (balanced accuracy), `low`, `high`, `chance`, `leak`, `top_share` (of the most frequent prediction: 100 is a
        probe that has collapsed), `test_people`, `test_images`.
    """
    rows, found = guesses(z, task, splits, who, attackers)
    truth, table = task.codes[rows], []
    fewest = min(len(np.unique(who[split.probe])) for split in splits)
    for name, guess in found.items():
        row = {"representation": z.name, "label": task.name, "attacker": name, "train_people": fewest}
        row |= accuracy(truth, guess, who[rows], len(task.classes))
        row |= {"leak": row["low"] > row["chance"], "top_share": 100 * np.bincount(guess).max() / len(guess)}
        table.append(row | {"test_people": len(np.unique(who[rows])), "test_images": len(rows)})
    return pd.DataFrame(table)


def selected(table: pd.DataFrame) -> pd.DataFrame:
    """Take from `readings` the rows by which a leak is judged: one for each representation and label."""
    return table[table["attacker"] == SELECTED]


def verification(name: str, z: np.ndarray, pairs: pd.DataFrame) -> dict:
    """Verify identities in z (n, D) by cosine, in percent: `accuracy` (balanced), `auc`, `eer`, `tar`, counts.

    A fold's threshold is set by the other folds, which have other subjects. `accuracy_hw` and `auc_hw` are half-widths
    of the t-interval over folds; `tar` is at a FAR of 0.1 %.
    """
    same, fold = pairs["same"].to_numpy(bool), pairs["fold"].to_numpy()
    distance = _distances(z, pairs)
    threshold = fold_thresholds(np.tile(distance, (FOLDS, 1)), same, fold, np.zeros((FOLDS, len(pairs)), bool))
    within = [fold == number for number in range(FOLDS)]
    accuracy, accuracy_hw = interval(
        [balanced_accuracy(same[w], distance[w] <= t) for w, t in zip(within, threshold, strict=True)]
    )
    auc, auc_hw = interval([100 * roc_auc_score(same[w], -distance[w]) for w in within])
    curve = roc(distance, same)
    numbers = {"accuracy": accuracy, "accuracy_hw": accuracy_hw, "auc": auc, "auc_hw": auc_hw}
    numbers |= {"eer": equal_error_rate(curve), "tar": tar_at_far(curve)}
    return {"representation": name, **numbers, "same_pairs": int(same.sum()), "other_pairs": int((~same).sum())}


def quick_accuracy(z: np.ndarray, pairs: pd.DataFrame) -> float:
    """Return the best balanced accuracy of any one threshold, in percent: to select by, never a result."""
    same, distance = pairs["same"].to_numpy(bool), _distances(z, pairs)
    return balanced_accuracy(same, distance <= best_threshold(distance, same))


def _distances(z: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    return pair_distances(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12), pairs)


def health(name: str, z: np.ndarray) -> dict:
    """Check for collapse: effective rank and others of `measure.collapse`, `top_variance`, `collapsed`.

    `top_variance` is the share of the variance that lies in one direction, in percent. `collapsed` is a rank below 2
    or over 90 % of the variance in one direction: then a low probe accuracy does not show that anything is hidden. The
    limits are our choice.
    """
    values, top = collapse(z), 100 * float(spectrum(z).max(initial=0.0))
    dead = values["effective_rank"] < 2 or top > 90 or not top
    return {"representation": name, **values, "top_variance": top, "collapsed": dead}

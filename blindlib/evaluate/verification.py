"""Verify whether two faces are one subject: LFW's k-fold protocol on Euclidean distance, ROC, EER, TAR at a FAR."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

_BLOCK = 512  # pairs at a time, so that their features fit in the cache


def pair_distances(features: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Return the Euclidean distance of every pair of rows (`left`, `right`): features (N, D) -> float64 (pairs,)."""
    left, right = (pairs[side].to_numpy() for side in ("left", "right"))
    distance = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        difference = features[left[part]].astype(np.float64) - features[right[part]]
        distance[part] = np.sqrt(np.square(difference, out=difference).sum(1))
    return distance


def best_threshold(distance: np.ndarray, same: np.ndarray) -> float:
    """Return the threshold t of `distance <= t` with the best balanced accuracy, midway between two distances.

    `distance` is float (pairs,) and `same` bool (pairs,), with at least one pair of each kind. Balanced accuracy does
    not favour the kind with more pairs; with equal numbers it equals accuracy.
    """
    order = np.argsort(distance, kind="stable")
    gain = np.where(same[order], 1 / same.sum(), -1 / (~same).sum())
    sorted_distance, hits = distance[order], np.cumsum(gain)
    ends = np.flatnonzero(np.append(np.diff(sorted_distance) > 0, True))  # no threshold separates equal distances
    best = ends[np.argmax(hits[ends].round(12))]
    if hits[best] <= 0:
        return float(np.nextafter(sorted_distance[0], -np.inf))
    upper = sorted_distance[min(best + 1, len(order) - 1)]
    return float((sorted_distance[best] + upper) / 2)


def fold_thresholds(distance: np.ndarray, same: np.ndarray, fold: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return for each fold the threshold that is best on the other folds, float (folds,): LFW's protocol.

    A trained head has its own scale of distances and was trained on subjects of other folds. Each fold therefore uses
    the distances by its own head, without pairs of subjects that trained it.

    Parameters
    ----------
    distance : float array (folds, pairs)
        Row k has the distances by the head that is tested on the k-th fold.
    same, fold : bool and int array (pairs,)
    seen : bool array (folds, pairs)
        Whether a subject of the pair trained the k-th fold's head.

    Source: Huang et al. 2007, View 2. The use of each fold's own head, and the exclusion of its training subjects, is
    our **decision**.
    """
    usable = (fold != np.unique(fold)[:, None]) & ~seen
    return np.array([best_threshold(d[u], same[u]) for d, u in zip(distance, usable, strict=True)])


def roc(distance: np.ndarray, same: np.ndarray) -> pd.DataFrame:
    """Return the ROC of comparable distances: columns `far` and `tar` (0 to 1) and `threshold`, by rising FAR."""
    far, tar, threshold = roc_curve(same, -distance, drop_intermediate=True)
    return pd.DataFrame({"far": far, "tar": tar, "threshold": -threshold})


def mean_roc(distances: list[np.ndarray], same: np.ndarray) -> pd.DataFrame:
    """Average several ROCs at fixed FAR (k false accepts of n pairs of two subjects): columns `far`, `tar`, 0 to 1.

    The curves are averaged and not the distances, because mean distances would measure an ensemble of the heads.
    """
    grid = np.arange((~same).sum() + 1) / (~same).sum()
    curves = [roc(distance, same) for distance in distances]
    at = [np.searchsorted(curve["far"], grid + 1e-9, side="right") - 1 for curve in curves]
    tar = np.mean([curve["tar"].to_numpy()[k] for curve, k in zip(curves, at, strict=True)], axis=0)
    return pd.DataFrame({"far": grid, "tar": tar})


def equal_error_rate(curve: pd.DataFrame) -> float:
    """Return the EER in percent, where FAR and false reject rate are equal, by linear interpolation."""
    far, gap = curve["far"].to_numpy(), (1 - curve["tar"] - curve["far"]).to_numpy()
    k = int(np.argmax(gap <= 0))
    if k == 0:
        return float(100 * far[0])
    weight = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(100 * (far[k - 1] + weight * (far[k] - far[k - 1])))


def tar_at_far(curve: pd.DataFrame, far: float = 1e-3) -> float:
    """Return the largest true accept rate, in percent, at a false accept rate of at most `far` (0 to 1).

    With n pairs of two subjects a FAR below 1/n allows no false accept.
    """
    return float(100 * curve.loc[curve["far"] <= far, "tar"].max())

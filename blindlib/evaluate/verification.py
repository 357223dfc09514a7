"""Are two faces the same person? LFW's k-fold protocol on Euclidean distance, ROC, EER, TAR at a FAR."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

_BLOCK = 512  # pairs: their features stay in the cache


def pair_distances(features: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Euclidean distance of every pair: features (N, D), pairs with rows `left` and `right` -> float64 (pairs,)."""
    left, right = (pairs[side].to_numpy() for side in ("left", "right"))
    distance = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        difference = features[left[part]].astype(np.float64) - features[right[part]]
        distance[part] = np.sqrt(np.square(difference, out=difference).sum(1))
    return distance


def best_threshold(distance: np.ndarray, same: np.ndarray) -> float:
    """The threshold t of `distance <= t` with the best balanced accuracy, midway between the distances around it.

    Of float distances (pairs,) and bool `same` (pairs,), in which both kinds occur. Accuracy is balanced so that a set
    with more pairs of one kind sets no more lenient threshold; for equal numbers it is the plain one.
    """
    order = np.argsort(distance, kind="stable")
    gain = np.where(same[order], 1 / same.sum(), -1 / (~same).sum())
    sorted_distance, hits = distance[order], np.cumsum(gain)
    ends = np.flatnonzero(np.append(np.diff(sorted_distance) > 0, True))  # a threshold cannot part equal distances
    best = ends[np.argmax(hits[ends].round(12))]
    if hits[best] <= 0:
        return float(np.nextafter(sorted_distance[0], -np.inf))
    upper = sorted_distance[min(best + 1, len(order) - 1)]
    return float((sorted_distance[best] + upper) / 2)


def fold_thresholds(distance: np.ndarray, same: np.ndarray, fold: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """LFW's protocol: for each fold the threshold that is best on the other folds, float (folds,).

    A head that was trained here has its own scale of distances and has seen some of the other folds' people. So each
    fold brings the distances of *its* head for all pairs, and pairs with a person whom that head has seen are left out.

    Parameters
    ----------
    distance : float array (folds, pairs)
        Row k by the head that is tested on the k-th fold.
    same, fold : bool and int array (pairs,)
    seen : bool array (folds, pairs)
        Whether the k-th fold's head was trained on a person of the pair.

    Source: Huang et al. 2007, View 2; that each fold is measured by its own head, and without the people whom that head
    has seen, is our **decision**.
    """
    usable = (fold != np.unique(fold)[:, None]) & ~seen
    return np.array([best_threshold(d[u], same[u]) for d, u in zip(distance, usable, strict=True)])


def roc(distance: np.ndarray, same: np.ndarray) -> pd.DataFrame:
    """ROC over pairs of comparable distances: columns `far` and `tar` (shares of 1) and `threshold`, by rising FAR."""
    far, tar, threshold = roc_curve(same, -distance, drop_intermediate=True)
    return pd.DataFrame({"far": far, "tar": tar, "threshold": -threshold})


def mean_roc(distances: list[np.ndarray], same: np.ndarray) -> pd.DataFrame:
    """Mean of several ROCs at fixed FAR (k false accepts of n different pairs): columns `far`, `tar`, shares of 1.

    Curves are averaged, not distances: averaging the distances of several heads would measure their ensemble.
    """
    grid = np.arange((~same).sum() + 1) / (~same).sum()
    curves = [roc(distance, same) for distance in distances]
    at = [np.searchsorted(curve["far"], grid + 1e-9, side="right") - 1 for curve in curves]
    tar = np.mean([curve["tar"].to_numpy()[k] for curve, k in zip(curves, at, strict=True)], axis=0)
    return pd.DataFrame({"far": grid, "tar": tar})


def equal_error_rate(curve: pd.DataFrame) -> float:
    """EER in percent: where the false accept rate meets the false reject rate, by linear interpolation."""
    far, gap = curve["far"].to_numpy(), (1 - curve["tar"] - curve["far"]).to_numpy()
    k = int(np.argmax(gap <= 0))
    if k == 0:
        return float(100 * far[0])
    weight = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(100 * (far[k - 1] + weight * (far[k] - far[k - 1])))


def tar_at_far(curve: pd.DataFrame, far: float = 1e-3) -> float:
    """Largest true accept rate, in percent, at a false accept rate of at most `far` (a share of 1).

    With n different pairs a FAR below 1/n means no false accept at all.
    """
    return float(100 * curve.loc[curve["far"] <= far, "tar"].max())

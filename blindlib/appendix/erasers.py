"""Other erasers of Table 1's family, and controls of equal rank; each is a projection about a point, as `LEACE`.

Every one fits P in φ(x) = x − (x − bias) Pᵀ; see `blinders.affine.AffineEraser`.
"""

import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from blindlib.blinders.affine import AffineEraser
from blindlib.metrics import balanced_accuracy


class INLP(AffineEraser):
    """Project out linear classifiers' directions, one after another, until a new classifier predicts at chance.

    Parameters
    ----------
    rounds : int
        The largest number of classifiers.
    slack : float
        Points above chance that count as chance, on subjects that the classifier was not trained on.

    Source: iterative nullspace projection, Ravfogel et al. 2020, arXiv 2004.07667. Ours (**decision**): ridge
    regressions with balanced classes, and the stop by held-out subjects (without identity: by held-out rows).
    """

    name = "INLP"

    def __init__(self, rounds=30, slack=3.0, *, bits=None):
        self.rounds, self.slack, self.bits = rounds, slack, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        who = np.arange(len(x)) if who is None else who
        if len(np.unique(who)) < 3:
            raise ValueError("identity holds fewer than 3 subjects: INLP stops by held-out subjects")
        x, ways = x - x.mean(0), np.empty((0, x.shape[1]))
        probe = RidgeClassifier(max(len(x) * x.var(), 1e-12), class_weight="balanced")
        at_chance = 100 / len(np.unique(codes)) + self.slack
        for _ in range(self.rounds):
            left = x - x @ ways.T @ ways
            guess = cross_val_predict(probe, left, codes, groups=who, cv=GroupKFold(3))
            if balanced_accuracy(codes, guess) <= at_chance:
                break
            ways = basis(np.concatenate([ways, np.atleast_2d(probe.fit(left, codes).coef_)]))
        return ways.T @ ways


class NAP(AffineEraser):
    """Project out the directions in which one subject's images differ most.

    Parameters
    ----------
    share : float
        How many directions, as a share of D; our choice, on validation subjects of one split of the rendered world.

    Source: nuisance attribute projection, Solomonoff, Campbell & Boardman 2005, for speakers and their channels. Here y
    is the channel. A subject's images of one class are averaged first, so that only the class remains of the
    deviation. Without identity all rows count as one subject, and the directions of the class means go.
    """

    name = "NAP"

    def __init__(self, share=0.25, *, bits=None):
        self.share, self.bits = share, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        count, who = _count(self.share, x), np.zeros(len(x), int) if who is None else who
        cells, of_cell = np.unique(np.stack([who, codes]), axis=1, return_inverse=True)
        means = means_by(x, of_cell.ravel())
        subjects = np.unique(cells[0], return_inverse=True)[1]
        ways = basis(means - means_by(means, subjects)[subjects])[:count]
        return ways.T @ ways


class PCAControl(AffineEraser):
    """Project out the directions in which x varies least, as many as NAP takes: a control that does not use y.

    Parameters
    ----------
    share : float
        How many directions, as a share of D.

    An eraser of equal rank hides by its aim only what it hides beyond this control.
    """

    name = "PCA"

    def __init__(self, share=0.25, *, bits=None):
        self.share, self.bits = share, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        spread = np.atleast_2d(np.cov(x, rowvar=False))
        ways = np.linalg.eigh(spread)[1][:, : _count(self.share, x)]  # the least variable come first
        return ways @ ways.T


class RandomControl(AffineEraser):
    """Project out random directions, as many as NAP takes: a control that uses neither y nor x.

    Parameters
    ----------
    share : float
        How many directions, as a share of D.
    random_state : int
        One draw is one draw: intervals of a table do not hold its spread over draws.
    """

    name = "random"

    def __init__(self, share=0.25, random_state=0, *, bits=None):
        self.share, self.random_state, self.bits = share, random_state, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        drawn = np.random.default_rng(self.random_state).normal(size=(x.shape[1], _count(self.share, x)))
        ways = np.linalg.qr(drawn)[0]
        return ways @ ways.T


def _count(share: float, x: np.ndarray) -> int:
    """Turn a share of the dimensions of x (N, D) into a number: at least one."""
    return max(1, round(share * x.shape[1]))


def means_by(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average x (N, D) by group (N,), integers from 0: (groups, D)."""
    sums = np.zeros((group.max() + 1, x.shape[1]))
    np.add.at(sums, group, x)
    return sums / np.bincount(group)[:, None]


def basis(rows: np.ndarray) -> np.ndarray:
    """Return orthonormal rows that span the given rows, the longest direction first; none where all rows are 0."""
    _, size, ways = np.linalg.svd(rows, full_matrices=False)
    return ways[size > 1e-8 * max(size.max(), 1e-4)]

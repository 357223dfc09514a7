"""Erasers in closed form, or nearly, and controls: each is a projection about a point, φ(x) = x − (x − bias) Pᵀ."""

import warnings
from typing import ClassVar

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from blindlib.blinders.blinder import Blinder
from blindlib.blinders.training import encode
from blindlib.common.door import number
from blindlib.metrics import balanced_accuracy

_SHARE = number(1e-6, 1)


class AffineEraser(Blinder):
    """A projection about a point. A subclass has `_projection(x, codes, who)`, which gives P (D, D); who may be None.

    `projection_` (D, D) and `bias_` (D,) are tensors; fitted in float64, applied in float32.
    """

    def fit(self, X, y, *, identity=None):
        """Fit on the rows of X (N, D) whose y is known; `identity` (N,) says who is shown. Returns itself.

        Raises ValueError if shapes do not fit, X is not finite or does not vary, y has fewer than two classes, or too
        few people are shown for what the method estimates.
        """
        X, codes, _ = self._check(X, y, identity=identity)
        known = codes >= 0
        x = X[known].astype(np.float64)
        who = None if identity is None else encode(identity)[0][known]
        projection = self._projection(x * _unit(x), codes[known], who)
        self.bias_ = torch.as_tensor(x.mean(0)).float()
        self.projection_ = torch.as_tensor(projection).float().contiguous()
        self._take_peaks([np.abs(self._map(x)).max()])
        return self

    def _map(self, X: np.ndarray) -> np.ndarray:
        x = torch.tensor(X)
        return (x - (x - self.bias_.to(x.dtype)) @ self.projection_.T.to(x.dtype)).numpy()

    def _arrays(self) -> dict[str, torch.Tensor]:
        return {"projection": self.projection_, "bias": self.bias_}

    def _restore(self, arrays: dict[str, torch.Tensor]) -> None:
        shapes, dim = {name: tuple(value.shape) for name, value in arrays.items()}, self.n_features_in_
        if shapes != {"bias": (dim,), "projection": (dim, dim)}:
            raise ValueError(f"{shapes}")
        self.projection_, self.bias_ = arrays["projection"], arrays["bias"]


class LEACE(AffineEraser):
    """The least change after which no linear probe reads y: `LEACE().fit(X, y).transform(X)`.

    Source: Belrose et al. 2023, arXiv 2306.03819, theorem 4.3, by the package concept-erasure; the closed form of what
    R-LACE (Ravfogel et al. 2022) looks for by games. It stops linear probes on data like the training data, no others.
    """

    name = "LEACE"

    def __init__(self, *, bits=None):
        self.bits = bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package still uses torch.jit.script, which PyTorch deprecates
            from concept_erasure import LeaceFitter
        onehot = torch.nn.functional.one_hot(torch.as_tensor(codes), codes.max() + 1).double()
        eraser = LeaceFitter.fit(torch.as_tensor(x), onehot).eraser
        return (eraser.proj_left @ eraser.proj_right).numpy()


class Rounded(AffineEraser):
    """A control: x itself, rounded to few bits and otherwise as it is. Rounding alone hides nothing."""

    name = "x"

    def __init__(self, *, bits=6):
        self.bits = bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        return np.zeros((x.shape[1], x.shape[1]))


class INLP(AffineEraser):
    """Iterative nullspace projection: linear classifiers' directions are projected out, until a new one reads nothing.

    Parameters
    ----------
    rounds : int
        At most so many classifiers.
    slack : float
        Points above chance that count as nothing, on people whom the classifier has not seen.

    Source: Ravfogel et al. 2020, arXiv 2004.07667. The classifiers are ridge regressions with balanced classes, and the
    end by people (without identity: by rows) whom they have not seen is ours (**decision**).
    """

    name = "INLP"
    _limits: ClassVar = {"rounds": number(1, 10**6, whole=True), "slack": number(0, 100)}

    def __init__(self, rounds=30, slack=3.0, *, bits=None):
        self.rounds, self.slack, self.bits = rounds, slack, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        who = np.arange(len(x)) if who is None else who
        if len(np.unique(who)) < 3:
            raise ValueError("identity holds fewer than 3 people: INLP ends by people whom its classifier has not seen")
        x, ways = x - x.mean(0), np.empty((0, x.shape[1]))
        probe = RidgeClassifier(max(len(x) * x.var(), 1e-12), class_weight="balanced")
        nothing = 100 / len(np.unique(codes)) + self.slack
        for _ in range(self.rounds):
            left = x - x @ ways.T @ ways
            if balanced_accuracy(codes, cross_val_predict(probe, left, codes, groups=who, cv=GroupKFold(3))) <= nothing:
                break
            ways = _basis(np.concatenate([ways, np.atleast_2d(probe.fit(left, codes).coef_)]))
        return ways.T @ ways


class NAP(AffineEraser):
    """Nuisance attribute projection: the directions in which one person's photographs differ most are projected out.

    Parameters
    ----------
    share : float
        How many, as a share of D; our choice, on validation people of one split of the rendered world. On test people
        a quarter costs some points of verification.

    Source: Solomonoff, Campbell & Boardman 2005, for speakers and their channels; here y is the channel. A person's
    images of one class are averaged first, so that what remains of the deviation is the class's. Without identity all
    rows are one person's: then it is the directions of the classes' means that go.
    """

    name = "NAP"
    _limits: ClassVar = {"share": _SHARE}

    def __init__(self, share=0.25, *, bits=None):
        self.share, self.bits = share, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        count, who = _count(self.share, x), np.zeros(len(x), int) if who is None else who
        cells, of_cell = np.unique(np.stack([who, codes]), axis=1, return_inverse=True)
        means = means_by(x, of_cell.ravel())
        people = np.unique(cells[0], return_inverse=True)[1]
        ways = _basis(means - means_by(means, people)[people])[:count]
        return ways.T @ ways


class PCAControl(AffineEraser):
    """A control: the directions in which x varies least are projected out, as many as NAP takes; y is not asked.

    Parameters
    ----------
    share : float
        How many, as a share of D.

    What an eraser of equal rank hides beyond this is due to its aim, not to the rank. It does not show what fewer
    dimensions would have cost had they been chosen for identity.
    """

    name = "PCA"
    _limits: ClassVar = {"share": _SHARE}

    def __init__(self, share=0.25, *, bits=None):
        self.share, self.bits = share, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        spread = np.atleast_2d(np.cov(x, rowvar=False))
        ways = np.linalg.eigh(spread)[1][:, : _count(self.share, x)]  # the least variable come first
        return ways @ ways.T


class RandomControl(AffineEraser):
    """A control: random directions are projected out, as many as NAP takes; neither y nor x is asked.

    Parameters
    ----------
    share : float
        How many, as a share of D.
    random_state : int

    One draw is one draw: its spread over draws is not in the intervals of a table.
    """

    name = "random"
    _limits: ClassVar = {"share": _SHARE, "random_state": number(0, 2**63, whole=True)}

    def __init__(self, share=0.25, random_state=0, *, bits=None):
        self.share, self.random_state, self.bits = share, random_state, bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        drawn = np.random.default_rng(self.random_state).normal(size=(x.shape[1], _count(self.share, x)))
        ways = np.linalg.qr(drawn)[0]
        return ways @ ways.T


def _unit(x: np.ndarray) -> float:
    """By what x (N, D) comes to a size of about 1: a power of 2, which rounds nothing. No projection depends on it."""
    return 2.0 ** -np.round(np.log2(np.abs(x - x.mean(0)).max()))


def _count(share: float, x: np.ndarray) -> int:
    """How many of the dimensions of x (N, D) a share is: one at least."""
    return max(1, round(share * x.shape[1]))


def means_by(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Means of x (N, D) by group (N,), whole numbers from 0: (groups, D)."""
    sums = np.zeros((group.max() + 1, x.shape[1]))
    np.add.at(sums, group, x)
    return sums / np.bincount(group)[:, None]


def _basis(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span what the rows span, the longest direction first; none where all rows are 0."""
    _, size, ways = np.linalg.svd(rows, full_matrices=False)
    return ways[size > 1e-8 * max(size.max(), 1e-4)]

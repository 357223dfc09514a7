"""Project about a point, φ(x) = x − (x − bias) Pᵀ: LEACE in closed form, and x itself in few bits as a control."""

import warnings

import numpy as np
import torch

from blindlib.blinders.blinder import Blinder
from blindlib.blinders.training import encode


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


def _unit(x: np.ndarray) -> float:
    """By what x (N, D) comes to a size of about 1: a power of 2, which rounds nothing. No projection depends on it."""
    return 2.0 ** -np.round(np.log2(np.abs(x - x.mean(0)).max()))

"""Project embeddings about a point, φ(x) = x − (x − bias) Pᵀ: LEACE in closed form, and rounded x as a control."""

import warnings

import numpy as np
import torch

from blindlib.blinders.blinder import Blinder
from blindlib.blinders.training import encode


class AffineEraser(Blinder):
    """Project about a point. A subclass computes P (D, D) in `_projection(x, codes, who)`; who may be None.

    The tensors `projection_` (D, D) and `bias_` (D,) are fitted in float64 and applied in float32.
    """

    def fit(self, X, y, *, identity=None):
        """Fit on the rows of X (N, D) whose y is known; `identity` (N,) is the subject of each row. Return self.

        Raises ValueError if shapes do not fit, X is constant or not finite, or there are too few classes or subjects.
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
    """Remove y from linear probes with the smallest change of x: `LEACE().fit(X, y).transform(X)`.

    After it no linear probe predicts y on data like the training data; a nonlinear probe still may.

    Source: Belrose et al. 2023, arXiv 2306.03819, theorem 4.3, by the package concept-erasure.
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
    """Round x to few bits and change nothing else: the control that rounding alone hides nothing."""

    name = "x"

    def __init__(self, *, bits=6):
        self.bits = bits

    def _projection(self, x: np.ndarray, codes: np.ndarray, who: np.ndarray | None) -> np.ndarray:
        return np.zeros((x.shape[1], x.shape[1]))


def _unit(x: np.ndarray) -> float:
    """Return the power of 2 that scales x (N, D) to about 1. It adds no rounding error and leaves P unchanged."""
    return 2.0 ** -np.round(np.log2(np.abs(x - x.mean(0)).max()))

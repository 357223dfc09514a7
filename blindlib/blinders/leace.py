"""LEACE (Belrose et al. 2023): erases all that a linear probe reads, in closed form, by the package concept-erasure."""

import warnings

import numpy as np
import torch

from blindlib.blinders.blinder import Blinder


class LEACE(Blinder):
    """The eraser in closed form, as a scikit-learn transformer: `LEACE().fit(X, y).transform(X)`; fitted in float64.

    Attributes
    ----------
    projection_ : Tensor (D, D), bias_ : Tensor (D,)
        float32: φ(x) = x − (x − bias) projectionᵀ.

    Source: arXiv 2306.03819, theorem 4.3. It stops linear probes on data like the training data, and no others.
    """

    name = "LEACE"

    def fit(self, X, y, *, identity=None):
        """Fit on the rows of X (N, D) whose y is known; identity is taken, as every blinder takes it, and not used.

        Raises
        ------
        ValueError
            If lengths differ, X is not finite, or y has fewer than two classes.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package still uses torch.jit.script, which PyTorch deprecates
            from concept_erasure import LeaceFitter
        X, codes, classes = self._check(X, y, identity=identity)
        known = codes >= 0
        onehot = torch.nn.functional.one_hot(torch.as_tensor(codes[known]), len(classes)).double()
        fitter = LeaceFitter(X.shape[1], len(classes), dtype=torch.float64)
        fitter.update(torch.as_tensor(X[known].astype(np.float64)), onehot)
        eraser = fitter.eraser
        self.projection_ = (eraser.proj_left @ eraser.proj_right).float().contiguous()
        self.bias_ = fitter.mean_x.float().contiguous()
        return self

    def transform(self, X) -> np.ndarray:
        """φ(x) of embeddings X (N, D), float32, same shape."""
        x = torch.tensor(self._check_new(X))
        return (x - (x - self.bias_) @ self.projection_.T).numpy()

    def _arrays(self) -> dict[str, torch.Tensor]:
        return {"projection": self.projection_, "bias": self.bias_}

    def _restore(self, arrays: dict[str, torch.Tensor]) -> None:
        shapes, dim = {name: tuple(value.shape) for name, value in arrays.items()}, self.n_features_in_
        if shapes != {"bias": (dim,), "projection": (dim, dim)}:
            raise ValueError(f"{shapes}")
        self.projection_, self.bias_ = arrays["projection"], arrays["bias"]

"""LEACE (Belrose et al. 2023): erases all that a linear probe reads, in closed form, by the package concept-erasure."""

import warnings

import numpy as np
import torch

from blindlib.blinders.blinder import Blinder


class LEACE(Blinder):
    """The eraser in closed form, as a scikit-learn transformer: `LEACE().fit(X, y).transform(X)`.

    φ(x) = x − (x − bias_) projection_ᵀ, with tensors (D,) and (D, D); fitted in float64, applied in float32.

    Source: arXiv 2306.03819, theorem 4.3. It stops linear probes on data like the training data, and no others.
    """

    name = "LEACE"

    def fit(self, X, y, *, identity=None):
        """Fit on the rows of X (N, D) whose y is known; identity is taken, as every blinder takes it, and not used."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package still uses torch.jit.script, which PyTorch deprecates
            from concept_erasure import LeaceFitter
        X, codes, classes = self._check(X, y, identity=identity)
        known = codes >= 0
        onehot = torch.nn.functional.one_hot(torch.as_tensor(codes[known]), len(classes)).double()
        fitter = LeaceFitter.fit(torch.as_tensor(X[known].astype(np.float64)), onehot)
        eraser = fitter.eraser
        self.projection_ = (eraser.proj_left @ eraser.proj_right).float().contiguous()
        self.bias_ = fitter.mean_x.float().contiguous()
        return self

    def _map(self, X: np.ndarray) -> np.ndarray:
        x = torch.tensor(X)
        return (x - (x - self.bias_) @ self.projection_.T).numpy()

    def _arrays(self) -> dict[str, torch.Tensor]:
        return {"projection": self.projection_, "bias": self.bias_}

    def _restore(self, arrays: dict[str, torch.Tensor]) -> None:
        shapes, dim = {name: tuple(value.shape) for name, value in arrays.items()}, self.n_features_in_
        if shapes != {"bias": (dim,), "projection": (dim, dim)}:
            raise ValueError(f"{shapes}")
        self.projection_, self.bias_ = arrays["projection"], arrays["bias"]

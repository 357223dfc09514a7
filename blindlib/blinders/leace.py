"""Closed-form erasers beside the trained heads: LEACE (Belrose et al. 2023), from the package concept-erasure."""

import warnings

import numpy as np
import torch


def fit_leace(x: np.ndarray, expression: np.ndarray, classes: int) -> dict[str, torch.Tensor]:
    """Fit LEACE in float64.

    Parameters
    ----------
    x : float array (N, D)
    expression : int array (N,)
        Codes; rows with −1 are left out.
    classes : int

    Returns
    -------
    dict of Tensor
        `projection` (D, D) and `bias` (D,), float32: φ(x) = x − (x − bias) projectionᵀ.

    Source: arXiv 2306.03819, theorem 4.3. It stops linear probes on data like the training data, and no others.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package still uses torch.jit.script, which PyTorch deprecates
        from concept_erasure import LeaceFitter
    rows = expression >= 0
    features = torch.as_tensor(np.asarray(x[rows], dtype=np.float64))
    onehot = torch.nn.functional.one_hot(torch.as_tensor(expression[rows]), classes).double()
    fitter = LeaceFitter(features.shape[1], classes, dtype=torch.float64)
    fitter.update(features, onehot)
    eraser = fitter.eraser
    projection = (eraser.proj_left @ eraser.proj_right).float().contiguous()
    return {"projection": projection, "bias": fitter.mean_x.float().contiguous()}


def apply_leace(arrays: dict[str, torch.Tensor], x: np.ndarray) -> np.ndarray:
    """Erase: x (N, D) -> (N, D), float32."""
    x = torch.as_tensor(np.array(x, dtype=np.float32))
    return (x - (x - arrays["bias"]) @ arrays["projection"].T).numpy()

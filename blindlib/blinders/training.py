"""What both methods' training loops share: the resident data, the heads' start, the training of a detector."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.losses import cross_entropy


def pick_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA where there is a GPU, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def encode(labels, classes: tuple[str, ...] | None = None) -> tuple[np.ndarray, list[str]]:
    """Integer codes of labels; −1 for a missing label or one outside `classes`.

    Parameters
    ----------
    labels : array-like (N,)
        Strings or numbers; None or NaN is a missing label.
    classes : tuple of str, optional
        The vocabulary in order; by default the sorted labels that occur.

    Returns
    -------
    codes : int64 array (N,)
    classes : list of str
    """
    labels = [None if pd.isna(label) else str(label) for label in labels]
    classes = list(classes) if classes is not None else sorted({label for label in labels if label is not None})
    code = {label: n for n, label in enumerate(classes)}
    return np.array([code.get(label, -1) for label in labels], dtype=np.int64), classes


@dataclass(frozen=True)
class TrainingSet:
    """Everything that trains heads, resident on the device.

    Attributes
    ----------
    x : Tensor (N, D), float32
    identity, expression, demographic : int64 arrays (N,)
        Codes; −1 where a label is missing.
    part : int64 array (N,)
        The data set of every image.
    head, validation : lists of int arrays
        For each split, the rows of the people that train its head and of those that judge it.
    """

    x: torch.Tensor
    identity: np.ndarray
    expression: np.ndarray
    demographic: np.ndarray
    part: np.ndarray
    head: list[np.ndarray]
    validation: list[np.ndarray]

    @property
    def device(self) -> torch.device:
        """Where x lies."""
        return self.x.device

    def on_device(self, codes: np.ndarray) -> torch.Tensor:
        """Codes as an int64 tensor beside x."""
        return torch.as_tensor(codes, device=self.device)

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean (S, D) and mean per-dimension deviation (S,) of each split's head-training embeddings."""
        parts = [self.x[self.on_device(rows)] for rows in self.head]
        return torch.stack([p.mean(0) for p in parts]), torch.stack([p.std(0).mean() for p in parts])


def spread(index: torch.Tensor, settings: int) -> torch.Tensor:
    """Give every setting of a split the same draw: (S, B) -> (S * settings, B), paired comparisons for free."""
    return index.repeat_interleave(settings, dim=0)


def fit_classifiers(
    classifiers: Classifiers, features, target: torch.Tensor, draw, *, steps: int, rate: float, decay: float = 1e-4
) -> None:
    """Train a bank of classifiers by cross-entropy (AdamW, cosine schedule), in place.

    Parameters
    ----------
    classifiers : Classifiers
    features : callable
        Index (H, B) -> features (H, B, D), without gradient.
    target : Tensor (N,), int64
        Class of every row.
    draw : callable
        () -> index (H, B).
    steps : int
    rate, decay : float
        Learning rate at the start and decoupled weight decay.
    """
    index = torch.cat([draw() for _ in range(4)], 1)
    classifiers.standardise(features(index))
    optimiser = torch.optim.AdamW(classifiers.parameters(), lr=rate, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        index = draw()
        optimiser.zero_grad(set_to_none=True)
        cross_entropy(classifiers(features(index)), target[index]).sum().backward()
        optimiser.step()
        schedule.step()


def start_heads(data: TrainingSet, settings: int, hidden: int, generator: torch.Generator) -> ResidualHeads:
    """Heads at the identity map for every split and setting: H = S * settings, settings innermost."""
    centre, scale = data.statistics()
    heads = ResidualHeads(
        len(data.head) * settings,
        data.x.shape[1],
        hidden,
        centre.cpu().repeat_interleave(settings, 0),
        scale.cpu().repeat_interleave(settings, 0),
        generator,
        settings,
    )
    return heads.to(data.device)


@torch.no_grad()
def blind(heads: ResidualHeads, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """φ of the rows index (H, B), each head its own: (H, B, D)."""
    return heads(x[index])

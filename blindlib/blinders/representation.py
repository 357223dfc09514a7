"""φ(x) made when it is asked for: every image's, for every split, would be many times the size of x."""

from collections.abc import Callable

import numpy as np


class Blinded:
    """A representation that differs by split and is computed for the rows that somebody asks for; nothing is kept.

    Parameters
    ----------
    splits : int
    make : callable
        (Number of a split, int array of rows) -> float32 array (rows, D).
    """

    def __init__(self, splits: int, make: Callable[[int, np.ndarray], np.ndarray]):
        self.splits, self.make = splits, make

    def __len__(self) -> int:
        return self.splits

    def rows(self, split: int, rows: np.ndarray) -> np.ndarray:
        """φ of some rows by the split's head: float32 (rows, D)."""
        return self.make(split, rows)


def take(features: np.ndarray | Blinded, split: int, rows: np.ndarray) -> np.ndarray:
    """Some rows of a representation in a split: (rows, D).

    Parameters
    ----------
    features : float array (S, N, D), (1, N, D) where all splits share it, or Blinded
    split : int
    rows : int array
    """
    if isinstance(features, Blinded):
        return features.rows(split, rows)
    return features[split % len(features)][rows]

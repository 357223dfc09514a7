"""Hold x, pixels and every φ(x) in one class, so that probes treat all representations alike."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length


@dataclass(frozen=True)
class Representation:
    """Represent the images of a face table by one method; φ is computed for the requested rows, and not cached."""

    name: str  # in tables
    make: Callable[[int, np.ndarray], np.ndarray]  # (number of a split, int array of rows) -> float32 array (rows, D)
    method: str  # `x`, `pixels`, `SN`, `LNTL`, …
    strength: float | None = None  # the method's λ, where all splits share it: then the frontier shows it
    splits: int | None = None  # the number of heads, one a split; None where all splits share the representation
    bits: int | None = None  # of the rounding; None is float

    @classmethod
    def of(cls, name: str, array: np.ndarray, strength: float | None = None) -> "Representation":
        """Represent the images in all splits by one array (N, D)."""
        array = np.asarray(array)
        return cls(name, lambda _, rows: array[rows], name, strength)

    def kept(self, images: int) -> "Representation":
        """Return a copy that computes φ of all images once a split and caches it, since every probe needs its rows."""
        if not self.trained:
            return self
        lock, kept = Lock(), {}

        def rows(split: int, index: np.ndarray) -> np.ndarray:
            with lock:
                if split not in kept:
                    kept[split] = self.make(split, np.arange(images))
            return kept[split][index]

        return replace(self, make=rows)

    @property
    def trained(self) -> bool:
        """Return whether heads were trained for it on subjects of these data sets."""
        return self.splits is not None

    def rows(self, split: int, index: np.ndarray) -> np.ndarray:
        """Return the representation of some images in a split: float32 (rows, D).

        Raises
        ------
        ValueError
            If there is no head for that split, or its output is not a finite array of one row an image.
        """
        if self.trained and not 0 <= split < self.splits:
            raise ValueError(f"{self.name} has {self.splits} heads, one a split: there is none for split {split}")
        z = check_array(self.make(split, index), dtype=np.float32, input_name=self.name)
        check_consistent_length(z, index)
        return z

    def serves(self, splits: int) -> None:
        """Raise ValueError unless there is a head for each of `splits` splits."""
        if self.trained and self.splits != splits:
            raise ValueError(f"{self.name} has {self.splits} heads for {splits} splits: train it on these splits")

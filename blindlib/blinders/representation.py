"""One thing for "a representation": x, its ceiling and every φ(x) alike, so that no attacker knows what it faces."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length


@dataclass(frozen=True)
class Representation:
    """How one method shows the images of a face table; φ is computed for the rows that are asked for, and not kept."""

    name: str  # as it stands in tables
    make: Callable[[int, np.ndarray], np.ndarray]  # (number of a split, int array of rows) -> float32 array (rows, D)
    method: str  # what made it: `x`, `pixels`, `SN`, `LNTL`, …
    strength: float | None = None  # the method's λ, where it is the same in every split: then it is on the frontier
    splits: int | None = None  # how many heads it has, one a split; None where all splits share it
    bits: int | None = None  # in which it is released; None is float

    @classmethod
    def of(cls, name: str, array: np.ndarray, strength: float | None = None) -> "Representation":
        """What all splits share: an array (N, D)."""
        array = np.asarray(array)
        return cls(name, lambda _, rows: array[rows], name, strength)

    def kept(self, images: int) -> "Representation":
        """Return the same, which computes φ of all images once a split and keeps it: every probe asks for the rows."""
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
        """Whether people of these data sets had a part in it: heads were trained on them, what is shared was not."""
        return self.splits is not None

    def rows(self, split: int, index: np.ndarray) -> np.ndarray:
        """What a split's attacker gets of some images: float32 (rows, D).

        Raises
        ------
        ValueError
            If there is no head for that split, or what it gives is no finite array with a row for each.
        """
        if self.trained and not 0 <= split < self.splits:
            raise ValueError(f"{self.name} has {self.splits} heads, one a split: there is none for split {split}")
        z = check_array(self.make(split, index), dtype=np.float32, input_name=self.name)
        check_consistent_length(z, index)
        return z

    def serves(self, splits: int) -> None:
        """Raise ValueError unless it has a head for each of so many splits."""
        if self.trained and self.splits != splits:
            raise ValueError(f"{self.name} has {self.splits} heads for {splits} splits: train it on these splits")

"""Define what all methods share: scikit-learn's interface, release in few bits, and files without pickle."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic_core import to_jsonable_python
from safetensors.torch import load, save
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from blindlib.blinders.rounding import BITS, from_integers, to_integers
from blindlib.blinders.training import encode
from blindlib.common.errors import InputError, reason
from blindlib.common.files import parsed, sha256, write_bytes, write_json


class Blinder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Transform x to φ(x) of the same shape; y, the attribute to hide, is an argument of `fit`.

    A subclass defines `_map(X)`, which computes φ before rounding in the precision of X, `_arrays()`, which returns its
    weights as tensors, and `_restore(arrays)`, which loads them or raises ValueError. `fit` ends with `_take_peaks`.

    With `bits` (4, 6 or 8) `transform` rounds φ on one grid for all numbers, by `blinders.rounding`; None does not.

    Attributes
    ----------
    peaks_ : Tensor (heads,)
        The largest absolute value of φ over the training subjects of each head: the scale of its grid.
    people_, images_ : lists of int
        The number of subjects and images that each split was fitted on; `people_` is None without `identity`.
    classes_ : list of str
        The classes of the hidden attribute. In files of older versions all three may be None.
    """

    name = ""  # in tables
    _described = ("people", "images", "classes")  # attributes, without "_", that `save` writes beside the weights

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check(self, X, y, **labels) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Return X as float32 (N, D), codes of y (N,) and its classes; ValueError names an invalid input or label."""
        self._check_parameters()
        if y is None:
            validate_data(self, X, y)  # says that y is needed
        X = self._take(X, ensure_min_samples=2)
        check_consistent_length(X, y, *labels.values())
        codes, classes = encode(column_or_1d(y, warn=True))
        if len(classes) < 2:
            raise ValueError(f"y holds {len(classes)} class: two classes or more are needed, got {classes}")
        identity = labels.get("identity")
        if identity is not None and pd.isna(np.asarray(identity)).any():
            raise InputError("identity", "is not known of some rows", "leave these rows out")
        self._count([np.flatnonzero(codes >= 0)], None if identity is None else encode(identity)[0], classes)
        return X, codes, classes

    def _count(self, splits: list[np.ndarray], identity: np.ndarray | None, classes) -> None:
        """Store the number of subjects, by their codes (N,), and of images among the rows of each split."""
        self.images_, self.classes_ = [len(rows) for rows in splits], list(classes)
        self.people_ = None if identity is None else [len(np.unique(identity[rows])) for rows in splits]

    def _take_peaks(self, peaks: list[float] | torch.Tensor) -> None:
        self.peaks_ = torch.as_tensor(peaks, dtype=torch.float32).clamp_min(1e-12)

    def _check_parameters(self) -> None:
        if self.bits not in BITS:
            raise InputError("bits", f"is {self.bits!r:.20}", "use None, 4, 6 or 8")

    def _take(self, X, **options) -> np.ndarray:
        """Return X as float32 (N, D), contiguous and finite, or raise ValueError."""
        return validate_data(self, X, dtype=np.float32, order="C", **options)

    def transform(self, X, *, integers: bool = False) -> np.ndarray:
        """Return φ(x) of embeddings X (N, D), float32, same shape, in `bits`; a bank uses its first split's head.

        With `integers`, return the grid's integers, int8: φ(x) is `integers * peak / (2 ** (bits - 1) - 1)`.

        Raises ValueError if X is not finite or has another width, or for integers without `bits`.
        """
        check_is_fitted(self)
        return self._release(self._take(X, reset=False), self.bits, integers=integers)

    def _head(self, **which) -> int:
        """Return the index of a head in `peaks_`."""
        return 0

    def _release(self, X: np.ndarray, bits: int | None, *, integers: bool = False, **which) -> np.ndarray:
        """Return φ of X in `bits`. Compute in float64 before rounding, so that the order of sums changes no integer."""
        if bits is None:
            if integers:
                raise InputError("integers", "are asked for without bits", "fit with bits=6, say")
            return self._map(X, **which)
        peak = float(self.peaks_[self._head(**which)])
        rounded = to_integers(self._map(X.astype(np.float64), **which), peak, bits)
        return rounded if integers else from_integers(rounded, peak, bits)

    def save(self, path: Path | str) -> Path:
        """Write the weights to `path`.safetensors and their description to `path`.json; return the former path."""
        check_is_fitted(self)
        file = _weights_file(path)
        write_bytes(file, save(self._arrays() | {"peaks": self.peaks_}))
        meta = {"class": type(self).__name__, "parameters": to_jsonable_python(self.get_params())}
        meta["weights_sha256"] = sha256(file)
        described = {name: getattr(self, f"{name}_") for name in self._described}
        write_json(file.with_suffix(".json"), {**meta, "features": self.n_features_in_, **described})
        return file

    @classmethod
    def load(cls, path: Path | str) -> "Blinder":
        """Load a blinder that `save` wrote, without pickle.

        Raises
        ------
        InputError
            If a file is absent or damaged, belongs to another method, or its weights have the wrong shape.
        """
        file, remedy = _weights_file(path), "train it again: run `make paper`, or the notebook that makes it"
        described = file.with_suffix(".json")
        arrays = parsed(file, remedy, lambda content: load(content.read()))
        meta = parsed(described, remedy, json.load)
        if meta.get("class") != cls.__name__:
            problem = f"holds {meta.get('class')!s:.40}, not {cls.__name__}"
            raise InputError(file, problem, "load it by the class that saved it")
        if meta.get("weights_sha256") not in (None, sha256(file)):
            raise InputError(file, f"holds other weights than {described.name} describes", remedy)
        try:
            blinder = cls._described_by(meta)
            blinder._take_peaks(arrays.pop("peaks"))
            blinder._restore(arrays)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            problem = f"does not fit {described.name}: {reason(error, 200)}"
            raise InputError(file, problem, "use the file that this version saved, or train it again") from None
        return blinder

    @classmethod
    def _described_by(cls, meta: dict) -> "Blinder":
        parameters = meta["parameters"]
        if parameters.get("settings"):
            parameters["settings"] = cls._settings(**parameters["settings"])
        blinder = cls(**parameters)
        blinder.n_features_in_ = meta["features"]
        blinder._check_parameters()
        for name in cls._described:
            setattr(blinder, f"{name}_", meta.get(name) if name in Blinder._described else meta[name])
        return blinder


def _weights_file(path: Path | str) -> Path:
    return Path(f"{str(path).removesuffix('.safetensors')}.safetensors")

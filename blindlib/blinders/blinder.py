"""What the blinders share: scikit-learn's face, files without pickle, and a bank of heads behind one estimator."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from blindlib.blinders.heads import ResidualHeads
from blindlib.blinders.representation import Representation
from blindlib.blinders.training import Training, TrainingSet, encode, pick_device, train
from blindlib.blinders.validation import ValidationProbes, choose
from blindlib.common.errors import InputError
from blindlib.common.files import atomic_path, write_json
from blindlib.common.work import derive_seed

_BLOCK = 65_536  # rows: what a head's intermediate values may take


class Blinder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A transformer that is fitted with the attribute to hide as y: what goes in comes out in the same shape.

    A subclass has a `name`, `_arrays()` (all that it has learnt, as tensors) and `_restore(arrays, meta)`.
    """

    name = ""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check(self, X, y, **labels) -> tuple[np.ndarray, np.ndarray]:
        """X as float32 (N, D) and y (N,); ValueError names what is wrong. Labels by name have to be as many as rows."""
        if y is None:
            validate_data(self, X, y)  # says that y is needed
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        y = column_or_1d(np.asarray(y, dtype=object))
        check_consistent_length(X, y, *(value for value in labels.values() if value is not None))
        return X, y

    def _check_new(self, X) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=np.float32)

    def save(self, path: Path | str) -> Path:
        """Write `path`.safetensors and, with all that describes them, `path`.json; returns the former."""
        check_is_fitted(self)
        stem = _stem(path)
        meta = {"class": type(self).__name__, "parameters": _plain(self.get_params()), "features": self.n_features_in_}
        with atomic_path(Path(f"{stem}.safetensors")) as temporary:
            save_file(self._arrays(), temporary)
        write_json(Path(f"{stem}.json"), meta | self._meta())
        return Path(f"{stem}.safetensors")

    def _meta(self) -> dict:
        return {}

    @classmethod
    def load(cls, path: Path | str) -> "Blinder":
        """The blinder that `save` wrote; nothing is unpickled.

        Raises
        ------
        InputError
            If a file is absent or damaged, is another method's, or its weights have the wrong shape.
        """
        file = Path(f"{_stem(path)}.safetensors")
        try:
            arrays = load_file(file)
            meta = json.loads(file.with_name(f"{file.stem}.json").read_text(encoding="utf-8"))
            if meta["class"] != cls.__name__:
                raise InputError(file, f"holds {meta['class']}, not {cls.__name__}", f"use {meta['class']}.load")
            blinder = cls(**cls._parameters(meta["parameters"]))
            blinder.n_features_in_ = meta["features"]
        except FileNotFoundError as error:
            remedy = "train it again: run the notebook that makes it"
            raise InputError(error.filename or file, "not found", remedy) from None
        except InputError:
            raise
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            problem = f"does not read as safetensors and JSON of {cls.__name__} ({str(error).splitlines()[0][:80]})"
            raise InputError(file, problem, "train it again: run the notebook that makes it") from None
        try:
            blinder._restore(arrays, meta)
        except (KeyError, ValueError) as error:
            remedy = "use the file that this version saved, or train it again"
            raise InputError(file, f"weights of the wrong shape: {error}", remedy) from None
        return blinder

    @classmethod
    def _parameters(cls, stored: dict) -> dict:
        return stored


def _stem(path: Path | str) -> str:
    return str(path).removesuffix(".safetensors")


def _plain(parameters: dict) -> dict:
    return {k: dataclasses.asdict(v) if dataclasses.is_dataclass(v) else v for k, v in parameters.items()}


class HeadBlinder(Blinder):
    """A blinder of residual heads. Inside it holds a bank: every split with every strength. `fit` is the case of one.

    A subclass has `_settings` (the class of its settings), `terms` (names of its losses) and `_rounds(training)`, its
    part in `training.train`.
    """

    task = "identity"
    terms: tuple[str, ...] = ()

    def __init__(self, strength: float = 1.0, *, settings=None, random_state: int = 0, device: str = "auto"):
        self.strength, self.settings, self.random_state, self.device = strength, settings, random_state, device

    def fit(self, X, y, *, identity=None, demographic=None, validation=None):
        """Train one head on the rows that carry labels.

        Parameters
        ----------
        X : array-like (N, D)
            Embeddings.
        y : array-like (N,)
            The attribute to hide: any labels; None or NaN where it is not known.
        identity : array-like (N,), optional
            Who is shown. Left out, every row counts as a person of its own: rows are kept apart, none drawn together.
        demographic : array-like (N,), optional
            Labels of LNTL's task `demographic`.
        validation : bool array (N,), optional
            Rows of people held back: fresh probes look at them after every round, and `history_` keeps what they read.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, X is not finite, y has fewer than two classes, or the task has no labels.
        """
        X, y = self._check(X, y, identity=identity, demographic=demographic, validation=validation)
        attribute, classes = encode(y)
        if len(classes) < 2:
            raise ValueError(f"y holds {len(classes)} class: two classes or more are needed, got {classes}")
        held = np.zeros(len(X), bool) if validation is None else np.asarray(validation, bool)
        data = TrainingSet(
            torch.tensor(X, device=pick_device(self.device)),
            np.arange(len(X)) if identity is None else encode(identity)[0],
            attribute,
            np.full(len(X), -1) if demographic is None else encode(demographic)[0],
            np.zeros(len(X), np.int64),
            [np.flatnonzero(~held)],
            [np.flatnonzero(held)],
            tuple(classes),
        )
        return self._fit(data, (float(self.strength),), validation is not None)

    def fit_splits(self, data: TrainingSet, *, budget: float):
        """Train a bank, every split with every strength of the settings, and choose λ for each split.

        `selection_` is the table of `validation.choose`, `chosen_` the λ of each split.
        """
        self._fit(data, self._own_settings().strengths, True)
        self.selection_ = choose(self.history_, budget)
        self.chosen_ = self.selection_[self.selection_["chosen"]].sort_values("split")["strength"].tolist()
        return self

    def _own_settings(self):
        return self.settings if self.settings is not None else self._settings()

    def _fit(self, data: TrainingSet, strengths: tuple[float, ...], validate: bool):
        settings = self._own_settings()
        if self.task not in ("identity", "demographic"):
            raise ValueError(f"task {self.task!r} is unknown: use identity or demographic")
        key = (self.random_state, *self._key())
        training = Training(data, settings, strengths, self.task, key)
        rounds = self._rounds(training)
        probes = None
        if validate:
            seed = derive_seed(*key, "judge")
            probes = ValidationProbes(data, len(strengths), settings.per_class, seed)
        self.history_ = train(training, rounds, title=f"{type(self).__name__} ({self.task})", validation=probes)
        count = len(training.strength)
        self.heads_ = training.heads.pick(list(range(count)))
        self.strengths_, self.chosen_, self.classes_ = strengths, [strengths[-1]] * len(data.head), data.classes
        self.n_features_in_ = data.x.shape[1]
        return self

    def _key(self) -> tuple[str, ...]:
        return (self.name.lower(),)

    def transform(self, X) -> np.ndarray:
        """φ(x) of embeddings X (N, D), float32, same shape; of a bank by its first split's chosen head."""
        X = self._check_new(X)
        return self._apply(0, self.chosen_[0], X)

    @torch.no_grad()
    def _apply(self, split: int, strength: float, X: np.ndarray) -> np.ndarray:
        head = self.heads_.pick([split * len(self.strengths_) + self.strengths_.index(strength)])
        blocks = [head(torch.tensor(X[i : i + _BLOCK])[None])[0].numpy() for i in range(0, len(X), _BLOCK)]
        return np.concatenate(blocks)

    def representation(self, x: np.ndarray, strength: float | None = None) -> Representation:
        """φ of x (N, D) by every split's head, at one strength or (None) at each split's chosen one."""
        wanted = self.chosen_ if strength is None else [strength] * len(self.chosen_)
        name = self.name if strength is None else f"{self.name} λ={strength:g}"
        return Representation(
            name, lambda split, rows: self._apply(split, wanted[split], x[rows]), self.name, strength, len(wanted)
        )

    def _arrays(self) -> dict[str, torch.Tensor]:
        return self.heads_.arrays()

    def _meta(self) -> dict:
        return {n: getattr(self, f"{n}_") for n in ("strengths", "chosen", "classes", "history")}

    @classmethod
    def _parameters(cls, stored: dict) -> dict:
        settings = stored["settings"]
        return stored | {"settings": None if settings is None else cls._settings(**settings)}

    def _restore(self, arrays: dict[str, torch.Tensor], meta: dict) -> None:
        self.heads_ = ResidualHeads.from_arrays(arrays)
        self.strengths_, self.classes_ = tuple(meta["strengths"]), tuple(meta["classes"])
        self.chosen_, self.history_ = meta["chosen"], meta["history"]
        if len(self.heads_.down) != len(self.strengths_) * len(self.chosen_):
            raise ValueError(f"{len(self.heads_.down)} heads for {len(self.chosen_)} splits")

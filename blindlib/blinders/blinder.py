"""What the blinders share: scikit-learn's face, files without pickle, and a bank of heads behind one estimator."""

from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic_core import to_jsonable_python
from safetensors.torch import save
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from blindlib.blinders.checkpoints import Checkpoints
from blindlib.blinders.heads import ResidualHeads
from blindlib.blinders.representation import Representation
from blindlib.blinders.rounding import BITS, from_integers, to_integers
from blindlib.blinders.training import Training, TrainingSet, encode, pick_device
from blindlib.blinders.validation import ValidationProbes, choose
from blindlib.common import door
from blindlib.common.errors import InputError, reason
from blindlib.common.files import check, sha256, write_bytes, write_json
from blindlib.common.reading import read_json
from blindlib.common.tensors import read_safetensors, require_weights
from blindlib.common.work import derive_seed, track

_BLOCK = 65_536  # rows: what a head's intermediate values may take


class Blinder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A transformer that is fitted with the attribute to hide as y: what goes in comes out in the same shape.

    A subclass has `_map(X)`, φ before rounding in the precision of X, `_arrays()`, its weights as tensors, and
    `_restore(arrays)`, which takes them back or raises ValueError. `fit` ends with `_take_peaks`.

    With `bits` (4, 6 or 8) what `transform` releases is φ rounded on one grid for all numbers; None releases φ as it
    is. See `blinders.rounding`.

    Attributes
    ----------
    peaks_ : Tensor (heads,)
        The largest absolute value of φ over the training subjects of each head: the scale of its grid.
    people_, images_ : lists of int
        On how many people and images each split was fitted; `people_` is None where nobody said who is shown.
    classes_ : list of str
        What is hidden. Of files of older versions all three may be None.
    """

    name = ""  # as it stands in tables
    _described = ("people", "images", "classes")  # what `save` keeps beside the weights: attributes without their "_"
    _limits: ClassVar[dict[str, door.Check]] = {}  # of its parameters

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check(self, X, y, **labels) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """X as float32 (N, D), codes of y (N,) and its classes; ValueError names what is wrong, of named labels too."""
        self._check_parameters()
        if y is None:
            validate_data(self, X, y)  # says that y is needed
        X = self._take(X, ensure_min_samples=2)
        codes, classes = encode(_one_a_row("y", y, len(X)))
        for name, values in labels.items():
            if values is not None:
                _one_a_row(name, values, len(X))
        if len(classes) < 2:
            raise ValueError(f"y holds {len(classes)} class: two classes or more are needed, got {classes}")
        identity = labels.get("identity")
        if identity is not None:
            door.labels("identity", identity)
        door.varied("X", X[codes >= 0])
        self._count([np.flatnonzero(codes >= 0)], None if identity is None else encode(identity)[0], classes)
        return X, codes, classes

    def _count(self, splits: list[np.ndarray], identity: np.ndarray | None, classes) -> None:
        """Remember how many people, by their codes (N,), and images the rows of each split are."""
        self.images_, self.classes_ = [len(rows) for rows in splits], list(classes)
        self.people_ = None if identity is None else [len(np.unique(identity[rows])) for rows in splits]

    def _take_peaks(self, peaks: list[float] | torch.Tensor) -> None:
        self.peaks_ = torch.as_tensor(peaks, dtype=torch.float32).clamp_min(1e-12)

    def _check_parameters(self) -> None:
        if self.bits not in BITS:
            raise InputError("bits", f"is {self.bits!r:.20}", "use None, 4, 6 or 8")
        for name, limit in self._limits.items():
            limit(name, getattr(self, name))

    def _take(self, X, **options) -> np.ndarray:
        """X as float32 (N, D), contiguous, finite, within the range of float32's squares; else InputError names it."""
        X = door.dense("X", X, 2)
        try:
            kinds = X.dtypes if hasattr(X, "dtypes") else [np.asarray(X).dtype]
            if any(getattr(kind, "kind", "O") in "mM" for kind in kinds):
                raise ValueError("holds dates or durations")
            door.no_text("X", X)
            with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused below
                X = validate_data(self, X, dtype=np.float32, order="C", ensure_all_finite=False, **options)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            if isinstance(error, TypeError) and not hasattr(X, "columns"):
                raise  # scikit-learn asks for it where an object is no number
            remedy = "give an array of numbers (N, D)"
            if "is expecting" in str(error) or "feature names should match" in str(error):
                remedy = "give embeddings of the network that it was fitted on"
            raise InputError("X", " ".join(str(error).split())[:160], remedy) from None
        return door.matrix("X", X)

    def transform(self, X, *, integers: bool = False) -> np.ndarray:
        """φ(x) of embeddings X (N, D), float32, same shape, in `bits`; of a bank by its first split's chosen head.

        With `integers` the grid's integers instead, int8: φ(x) is `integers * peak / (2 ** (bits - 1) - 1)`.

        Raises ValueError if X is not finite, too large for float32's squares, or of another width; or if integers are
        asked of a method without `bits`.
        """
        check_is_fitted(self)
        return self._release(self._take(X, reset=False), self.bits, integers=integers)

    def _head(self, **which) -> int:
        """The number of a head among those whose peaks are kept."""
        return 0

    def _release(self, X: np.ndarray, bits: int | None, *, integers: bool = False, **which) -> np.ndarray:
        """φ of X in `bits`. Rounded is φ in double precision: no machine's order of sums changes an integer."""
        if bits is None:
            if integers:
                raise InputError("integers", "are asked for without bits", "fit with bits=6, say")
            return self._map(X, **which)
        peak = float(self.peaks_[self._head(**which)])
        rounded = to_integers(self._map(X.astype(np.float64), **which), peak, bits)
        return rounded if integers else from_integers(rounded, peak, bits)

    def save(self, path: Path | str) -> Path:
        """Write `path`.safetensors, and `path`.json that describes it; returns the first."""
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
        """The blinder that `save` wrote; nothing is unpickled.

        Raises
        ------
        InputError
            If a file is absent or damaged, is another method's, or its weights have the wrong shape, are not finite, or
            would divide by 0.
        """
        file, remedy = _weights_file(path), "train it again: run `make paper`, or the notebook that makes it"
        described = file.with_suffix(".json")
        for each in (file, described):
            check(each, remedy)
        arrays = read_safetensors(file, "a head's weights", remedy)[0]
        meta = read_json(described, "a head's description", remedy)
        try:
            kind = meta["class"]
            blinder = cls._described_by(meta) if kind == cls.__name__ else None
        except Exception as error:  # whatever JSON may hold in place of a description
            problem = f"does not read as the description of {cls.__name__} ({reason(error)})"
            raise InputError(described, problem, remedy) from None
        if blinder is None:
            raise InputError(file, f"holds {kind!s:.40}, not {cls.__name__}", "load it by the class that saved it")
        require_weights(file, arrays, remedy)
        wrong = [f"{name} holds {str(v.dtype)[6:]}" for name, v in arrays.items() if v.dtype != torch.float32]
        if wrong:
            raise InputError(file, f"{wrong[0]}, not float32", remedy)
        try:
            blinder._take_peaks(arrays.pop("peaks"))
            blinder._restore(arrays)
        except Exception as error:  # as above
            remedy = "use the file that this version saved, or train it again"
            problem = f"weights of the wrong shape, or not to be divided by: {reason(error, 200)}"
            raise InputError(file, problem, remedy) from None
        if meta.get("weights_sha256") not in (None, sha256(file)):
            raise InputError(file, f"holds other weights than {described.name} describes", remedy)
        return blinder

    @classmethod
    def _described_by(cls, meta: dict) -> "Blinder":
        parameters = meta["parameters"]
        if parameters.get("settings"):
            parameters["settings"] = cls._settings(**parameters["settings"])
        blinder = cls(**parameters)
        blinder.n_features_in_ = meta["features"]
        door.number(1, 10**6, whole=True)("features", blinder.n_features_in_)
        blinder._check_parameters()
        for name in cls._described:
            setattr(blinder, f"{name}_", meta.get(name) if name in Blinder._described else meta[name])
        return blinder


def _one_a_row(name: str, values: object, rows: int) -> np.ndarray:
    """Labels of one type (N,); a column (N, 1) is taken for them."""
    array = door.names(name, values)
    array = array.ravel() if array.shape == (rows, 1) else array
    if array.shape != (rows,):
        raise InputError(name, f"has shape {array.shape} for {rows} rows of X", "give one value a row")
    return array


def _weights_file(path: Path | str) -> Path:
    return Path(f"{str(path).removesuffix('.safetensors')}.safetensors")


class HeadBlinder(Blinder):
    """A blinder of residual heads. Inside it holds a bank: every split with every strength. `fit` is the case of one.

    A subclass has `_settings` (the class of its settings), `terms` (names of its losses), `_key` (names its seeds) and
    `_rounds(training)`, which trains the heads round by round and yields each round's last losses, (H,) by name.

    Its settings hold everything but λ (their `strengths` serve `fit_splits`); the device is `auto`, `cpu` or `cuda`.

    Attributes
    ----------
    heads_ : ResidualHeads
        H = splits * strengths, frozen, on the CPU.
    strengths_, chosen_ : lists of float
        λ of the heads of each split; for each split the λ by which `transform` and `representation` go.
    history_ : list of dict
        A row for each look, split and strength: losses, the adversary's accuracy (`detector`, percent), and what the
        validation people tell (`attribute`: what fresh probes read, `identity`: verification; both percent); `kept`
        is true of the round whose head is kept.
    converged_ : bool
        Whether every strength stopped early with a checkpoint within the identity tolerance, by
        `Checkpoints.converged`.
    """

    task = "identity"
    _described = (*Blinder._described, "strengths", "chosen", "history", "converged")
    _limits: ClassVar = {"strength": door.number(0, 1e3), "random_state": door.number(0, 2**63, whole=True)}

    def __init__(self, strength=1.0, *, bits=6, settings=None, random_state=0, device="auto"):
        self.strength, self.bits, self.settings = strength, bits, settings
        self.random_state, self.device = random_state, device

    def fit(self, X, y, *, identity=None, demographic=None, validation=None, budget=3.0):
        """Train one head on the rows that carry labels; returns self.

        Parameters
        ----------
        X, y : array-like (N, D), array-like (N,)
            Embeddings, and the attribute to hide: labels of one type; None or NaN where it is not known.
        identity : array-like (N,), optional
            Who is shown. Left out, every row counts as a person of its own: rows are kept apart, none drawn together.
        demographic : array-like (N,), optional
            Labels of LNTL's task `demographic`.
        validation : bool array (N,), optional
            All rows of people held back, at whom fresh probes look every few rounds. By what they read training ends,
            and the head of the best round is kept (`checkpoints.Checkpoints`); `history_` has it.
        budget : float
            What the head that is kept may cost: percent of verification's way from chance to x, on those people.

        Raises
        ------
        ValueError
            If lengths differ, X is not finite or does not vary, y has fewer than two classes, somebody's identity is
            not known, the task has no labels, `validation` comes without `identity`, or holds too few people or one
            who trains too, a parameter is out of range, or training ends in NaN.
        """
        X, codes, classes = self._check(X, y, identity=identity, demographic=demographic, validation=validation)
        if validation is not None and identity is None:
            raise ValueError("validation needs identity: verification asks who is shown")
        if self.task == "demographic" and demographic is None:
            raise ValueError("task 'demographic' needs fit(..., demographic=labels)")
        kept = demographic if self.task == "demographic" else identity
        if kept is not None and len(encode(kept)[1]) < 2:
            raise InputError(self.task, f"names {len(encode(kept)[1])}", "two or more are needed: they are kept apart")
        who = np.arange(len(X)) if identity is None else encode(identity)[0]
        held = np.zeros(len(X), bool) if validation is None else door.flags("validation", validation)
        people, images = np.unique(who[held & (codes >= 0)], return_counts=True)
        if validation is not None and (len(people) < 4 or (images > 1).sum() < 2):
            problem = f"holds {len(people)} people with a label, {(images > 1).sum()} of them with two pictures"
            raise InputError("validation", problem, "hold back 4 people or more, 2 of them with two pictures")
        both = len(np.intersect1d(who[held], who[~held]))
        if both:
            raise InputError("validation", f"holds {both} people who train too", "hold back all rows of a person")
        door.number(0, 100)("budget", budget)
        data = TrainingSet(
            x=torch.tensor(X, device=pick_device(self.device)),
            identity=who,
            attribute=codes,
            demographic=np.full(len(X), -1) if demographic is None else encode(demographic)[0],
            part=np.zeros(len(X), np.int64),
            head=[np.flatnonzero(~held)],
            validation=[np.flatnonzero(held)],
            classes=tuple(classes),
        )
        self._fit(data, [float(self.strength)], None if validation is None else budget)
        self.people_ = None if identity is None else self.people_
        return self

    @property
    def used_settings(self):
        """`settings`, or the defaults of its kind where they are None."""
        return self.settings or self._settings()

    def fit_splits(self, data: TrainingSet, *, budget: float | None = None):
        """Train a bank, every split with every strength of the settings; with a budget (percent), `choose` their λ.

        A task that does not ask who it is may forget it: for `demographic` no budget holds. Returns itself. Raises
        InputError if a split shows fewer than two classes, its x does not vary, or training ends in NaN.
        """
        budget = 100.0 if budget is not None and self.task == "demographic" else budget
        self._fit(data, budget=budget)
        if budget is None:
            return self
        self.selection_ = choose(self.history_, budget)
        self.chosen_ = self.selection_[self.selection_["chosen"]].sort_values("split")["strength"].tolist()
        return self

    def _fit(self, data: TrainingSet, strengths: list[float] | None = None, budget: float | None = None):
        if self.task not in ("identity", "demographic"):
            raise ValueError(f"task {self.task!r} is unknown: use identity or demographic")
        self._check_parameters()
        if not isinstance(self.settings, self._settings | None):
            raise InputError("settings", f"is a {type(self.settings).__name__}", f"give a {self._settings.__name__}")
        settings, seed = self.used_settings, (self.random_state, *self._key)
        _check_splits(data)
        strengths = strengths or list(settings.strengths)
        training = Training(data, settings, strengths, self.task, seed)
        probes = dict if budget is None else ValidationProbes(training, derive_seed(*seed, "judge"), self.bits)
        judged = probes()
        best = Checkpoints(training.average, judged, strengths, budget) if judged else None
        history = _history_rows(training, 0, judged)
        title = f"{type(self).__name__} ({self.task})"
        for number, losses in enumerate(track(self._rounds(training), title, total=settings.rounds, unit="round"), 1):
            if number % settings.look and number < settings.rounds:
                continue
            judged = probes()
            losses = {name: value.detach().cpu().numpy() for name, value in losses.items()}
            history += _history_rows(training, number, losses | judged)
            if best:
                best.look(number, training.average, judged)
                going = best.going(settings.patience)
                if not going:
                    break
                if len(going) < len(training.strengths):
                    training.narrow(going)
        kept = best.round.tolist() if best else [number] * len(training.strength)
        kept = dict(zip(product(range(len(data.head)), strengths), kept, strict=True))
        for row in history:
            row["kept"] = row["round"] == kept[row["split"], row["strength"]]
        self.heads_, self.history_ = (best.heads if best else training.average).pick(slice(None)), history
        self.converged_ = bool(best) and best.converged
        if not all(value.isfinite().all() for value in self.heads_.arrays().values()):
            raise InputError(title, "training ended in NaN", "take a lower strength or settings.rate")
        self.strengths_, self.chosen_ = strengths, strengths[-1:] * len(data.head)
        self._count(data.head, data.identity, data.classes)
        self.n_features_in_ = data.x.shape[1]
        trained = [data.x[training.on_device(rows)].cpu().numpy() for rows in data.head]
        heads = product(range(len(trained)), strengths)
        self._take_peaks([np.abs(self._map(trained[split], split, strength)).max() for split, strength in heads])
        return self

    @torch.no_grad()
    def _map(self, X: np.ndarray, split: int = 0, strength: float | None = None) -> np.ndarray:
        head = self.heads_.pick([self._head(split, strength)]).to(torch.tensor(X[:0]).dtype)
        blocks = [head(torch.tensor(X[i : i + _BLOCK])[None])[0].numpy() for i in range(0, len(X), _BLOCK)]
        return np.concatenate(blocks)

    def _head(self, split: int = 0, strength: float | None = None) -> int:
        strength = self.chosen_[split] if strength is None else strength
        return split * len(self.strengths_) + self.strengths_.index(strength)

    def representation(self, x: np.ndarray, strength: float | None = None, bits: int | None = None) -> Representation:
        """φ of x (N, D) by every split's head, in `bits`, at one strength or (None) at each split's chosen one.

        Raises InputError for a strength that was not trained.
        """
        if strength not in (None, *self.strengths_):
            raise InputError("strength", f"{strength!r:.40} was not trained", f"use one of {self.strengths_}")
        name = self.name if strength is None else f"{self.name} λ={strength:g}"

        def released(split: int, rows: np.ndarray) -> np.ndarray:
            return self._release(x[rows], bits, split=split, strength=strength)

        return Representation(in_bits(name, bits), released, self.name, strength, len(self.chosen_), bits)

    def _arrays(self) -> dict[str, torch.Tensor]:
        return self.heads_.arrays()

    def _restore(self, arrays: dict[str, torch.Tensor]) -> None:
        settings = self.used_settings
        form = {"residual": settings.residual, "keep_norm": settings.keep_norm}
        self.heads_ = ResidualHeads.from_arrays(arrays, **form)
        count, dim = self.heads_.down.shape[:2]
        if count != len(self.strengths_) * len(self.chosen_) or not set(self.chosen_) <= set(self.strengths_):
            raise ValueError(f"{count} heads for {len(self.chosen_)} splits")
        if dim != self.n_features_in_:
            raise ValueError(f"heads of {dim} dimensions for {self.n_features_in_}")


def in_bits(name: str, bits: int | None) -> str:
    """Name a representation with the bits that it is released in: `SN 6 bits`."""
    return name if bits is None else f"{name} {bits} bits"


def _check_splits(data: TrainingSet) -> None:
    """InputError unless the people of every split show two classes or more, by x that is finite and varies."""
    for split, rows in enumerate(data.head):
        x = door.varied("X", door.matrix("X", data.x[rows].cpu().numpy()))
        shown = np.unique(data.attribute[rows][data.attribute[rows] >= 0])
        if len(shown) < 2:
            problem = f"holds {len(shown)} class among the {len(x)} rows that train split {split}"
            raise InputError("y", problem, "two classes or more are needed: give more people")


def _history_rows(training: Training, number: int, columns: dict[str, np.ndarray]) -> list[dict]:
    return [
        {"split": split, "strength": strength, "round": number, **{name: float(v[h]) for name, v in columns.items()}}
        for h, (split, strength) in enumerate(product(range(len(training.data.head)), training.strengths))
    ]

"""Train residual heads, one for every split and λ, as one estimator; `fit` trains a single head."""

from itertools import product

import numpy as np
import torch

from blindlib.blinders.blinder import Blinder
from blindlib.blinders.checkpoints import Checkpoints
from blindlib.blinders.heads import ResidualHeads
from blindlib.blinders.representation import Representation
from blindlib.blinders.rounding import in_bits
from blindlib.blinders.training import Training, TrainingSet, encode, pick_device
from blindlib.blinders.validation import ValidationProbes, choose
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, track

_BLOCK = 65_536  # rows at a time, to limit memory


class HeadBlinder(Blinder):
    """Hide y by residual heads: one head by `fit`, or a bank of one head for every split and λ by `fit_splits`.

    A subclass defines `_settings` (the class of its settings), `terms` (names of its losses), `_key` (a part of its
    seeds) and `_rounds(training)`, which trains the heads and yields each epoch's last losses, (H,) by name.

    The settings hold everything but λ (`fit_splits` takes their `strengths`); the device is `auto`, `cpu` or `cuda`.

    Attributes
    ----------
    heads_ : ResidualHeads
        H = splits * strengths, frozen, on the CPU.
    strengths_, chosen_ : lists of float
        λ of the heads of each split; for each split the λ that `transform` and `representation` use.
    history_ : list of dict
        A row for each validation step, split and λ: losses, the adversary's accuracy (`detector`), the accuracy of
        validation probes (`attribute`) and of verification (`identity`), in percent. `kept` is true of the row whose
        checkpoint is kept.
    converged_ : bool
        Whether every λ stopped early with a checkpoint within the identity tolerance, by `Checkpoints.converged`.
    """

    task = "identity"
    _described = (*Blinder._described, "strengths", "chosen", "history", "converged")

    def __init__(self, strength=1.0, *, bits=6, settings=None, random_state=0, device="auto"):
        self.strength, self.bits, self.settings = strength, bits, settings
        self.random_state, self.device = random_state, device

    def fit(self, X, y, *, identity=None, demographic=None, validation=None, budget=3.0):
        """Train one head on the rows that carry labels; return self.

        Parameters
        ----------
        X, y : array-like (N, D), array-like (N,)
            Embeddings, and the attribute to hide: labels of one type; None or NaN where unknown.
        identity : array-like (N,), optional
            The subject of each row. By default every row is a subject of its own, so none has a positive pair.
        demographic : array-like (N,), optional
            Labels of LNTL's task `demographic`.
        validation : bool array (N,), optional
            True for all rows of the validation subjects. They decide about early stopping and which checkpoint is kept
            (`checkpoints.Checkpoints`); `history_` has the results.
        budget : float
            The identity tolerance: percent of above-chance verification accuracy that validation subjects may lose.

        Raises
        ------
        ValueError
            If lengths differ, X is not finite, y has fewer than two classes, an identity is missing,
            or the task has no labels; if `validation` comes without `identity`, has too few subjects or shares one with
            training; if a parameter is out of range, or training ends in NaN.
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
        held = np.zeros(len(X), bool) if validation is None else np.asarray(validation, bool)
        people, images = np.unique(who[held & (codes >= 0)], return_counts=True)
        if validation is not None and (len(people) < 4 or (images > 1).sum() < 2):
            problem = f"holds {len(people)} people with a label, {(images > 1).sum()} of them with two pictures"
            raise InputError("validation", problem, "hold back 4 people or more, 2 of them with two pictures")
        both = len(np.intersect1d(who[held], who[~held]))
        if both:
            raise InputError("validation", f"holds {both} people who train too", "hold back all rows of a person")
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not self.strength >= 0:
            raise InputError("strength", f"is {self.strength!r:.20}", "use 0 or more")

    @property
    def used_settings(self):
        """Return `settings`, or the method's defaults where they are None."""
        return self.settings or self._settings()

    def fit_splits(self, data: TrainingSet, *, budget: float | None = None):
        """Train a bank, one head for every split and λ of the settings; select λ with a budget (percent). Return self.

        For the task `demographic` the identity tolerance is unlimited. Raises InputError if a split has fewer than two
        classes, or training ends in NaN.
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
        """Return φ of x (N, D) by every split's head, in `bits`, at one λ or (None) at each split's selected one.

        Raises InputError if that λ was not trained.
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


def _check_splits(data: TrainingSet) -> None:
    """Raise InputError if the training subjects of a split have fewer than two classes."""
    for split, rows in enumerate(data.head):
        shown = np.unique(data.attribute[rows][data.attribute[rows] >= 0])
        if len(shown) < 2:
            problem = f"holds {len(shown)} class among the {len(rows)} rows that train split {split}"
            raise InputError("y", problem, "two classes or more are needed: give more people")


def _history_rows(training: Training, number: int, columns: dict[str, np.ndarray]) -> list[dict]:
    return [
        {"split": split, "strength": strength, "round": number, **{name: float(v[h]) for name, v in columns.items()}}
        for h, (split, strength) in enumerate(product(range(len(training.data.head)), training.strengths))
    ]

"""Fresh attackers: what NN, SVM and RF read from a frozen representation of people they have not seen.

Protocol A does as FairCVtest's public code does: features as they come, classes as frequent as they are, scikit-learn's
defaults for SVM and RF; the network has ten sigmoid units and trains (Adam, 1e-3) by epochs of all training images in
batches of 128 until ten epochs have not helped *on the test people*, and is scored as it stands then. Those people thus
decide when it stops. **Decision**: what has to improve is the test loss. That code watches test accuracy, at some 150
steps an epoch and 100 epochs at most; at our three steps an epoch that rule stops nearly all networks at chance.

Protocol B is our own: features standardised on the training people, classes balanced, the shape of the network, its
epoch and the other settings chosen on validation people. One shape is as deep as the detectors that heads are trained
against. Both report balanced accuracy on test people; conclusions rest on B.

Source of A: github.com/BiDAlab/FairCVtest at 20b274a, `FairCV.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.losses import cross_entropy
from blindlib.blinders.representation import Representation
from blindlib.blinders.sampling import GroupSampler
from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, on_all_cores, spread
from blindlib.data.splits import Split
from blindlib.evaluate.support_vectors import SupportVectors
from blindlib.metrics import balanced_accuracy
from blindlib.settings import ProbeSettings

PROBES = ("NN", "SVM", "RF")


@dataclass(frozen=True)
class Task:
    """What a probe has to read: `emotion`, `gender` or `ethnicity`."""

    name: str
    codes: np.ndarray  # int64 (N,): the class of every image, −1 for no label
    classes: list[str]

    def __post_init__(self):
        codes = door.codes(f"codes of {self.name}", self.codes)
        if len(codes) and not -1 <= codes.min() <= codes.max() < len(self.classes):
            problem = f"lie between {codes.min()} and {codes.max()} for {len(self.classes)} classes"
            raise InputError(f"codes of {self.name}", problem, "number the classes from 0; -1 is not known")
        object.__setattr__(self, "codes", codes)


@door.takes(identity=door.labels)
def run_probes(
    representation: Representation,
    task: Task,
    splits: list[Split],
    settings: ProbeSettings,
    *,
    kinds: tuple[str, ...] = PROBES,
    protocols: str = "AB",
    identity: np.ndarray,
) -> list[dict]:
    """Train and test every kind of probe under every protocol on every split.

    Parameters
    ----------
    kinds : tuple of str
        Of `PROBES`.
    protocols : str
        `A`, `B` or both.
    identity : array (N,)
        Only to count people.

    Returns
    -------
    list of dict
        A row for each probe, protocol and split: `balanced_accuracy`, `accuracy`, `top_share` (the share of the most
        predicted class: 100 is a probe that has collapsed), all in percent on test people, `chance`, and counts.

    Raises
    ------
    InputError
        If a kind or protocol is unknown, or a split cannot be read; see `labelled_splits`.
    """
    representation.serves(len(splits))
    splits = labelled_splits(splits, task, identity)
    unknown = sorted(({*kinds} - {*PROBES}) | ({*protocols} - {*"AB"}))
    if unknown:
        raise InputError("kinds, protocols", f"hold {unknown[0]!r}", f"use {', '.join(PROBES)}; A, B")
    rows_of = [partial(representation.rows, number) for number in range(len(splits))]

    def attack(kind: str, protocol: str) -> list[np.ndarray]:
        if kind == "NN":
            return _neural(representation, task, splits, settings, protocol)
        jobs = list(zip(rows_of, splits, strict=True))
        return on_all_cores(lambda job: _classical(*job, task, settings, kind, protocol), jobs)

    attacks = [(kind, protocol) for kind in kinds for protocol in protocols]
    return [
        {"task": task.name, "probe": kind, "protocol": protocol} | score(task, split, guess, identity)
        for (kind, protocol), guesses in zip(attacks, spread(lambda one: attack(*one), attacks), strict=True)
        for split, guess in zip(splits, guesses, strict=True)
    ]


def labelled_splits(splits: list[Split], task: Task, identity: np.ndarray | None = None) -> list[Split]:
    """The splits with labelled images alone, as `labelled`, by which the task can be read and the reading be tested.

    Raises InputError if there is no split, one names rows that are not here, nobody in it shows a label where one is
    needed, or who trains probes shows one class alone; or if `identity` (N,) is of other rows.
    """
    door.alike(**{f"codes of {task.name}": task.codes, "identity": identity})
    if not splits:
        raise InputError("splits", "are none", "give one or more")
    for number, split in enumerate(splits):
        for part in ("probe", "validation", "test"):
            rows = door.within(f"split {number}, {part}", getattr(split, part), len(task.codes))
            shown = np.unique(task.codes[rows][task.codes[rows] >= 0])
            if len(shown) < 1 + (part == "probe"):
                problem = f"shows {len(shown)} classes of {task.name}"
                raise InputError(f"split {number}, {part}", problem, "label more people, or take fewer rotations")
    return [labelled(split, task) for split in splits]


def labelled(split: Split, task: Task) -> Split:
    """The split with labelled images alone, for those who train probes, validate and are tested."""
    return _move(split, lambda rows: rows[task.codes[rows] >= 0])


def _move(split: Split, change: Callable[[np.ndarray], np.ndarray]) -> Split:
    """The split with other rows for those who train probes, validate and are tested."""
    return replace(split, probe=change(split.probe), validation=change(split.validation), test=change(split.test))


def score(task: Task, split: Split, guess: np.ndarray, identity: np.ndarray) -> dict:
    """What a probe's guess (test images,) is worth, in percent, with chance and counts: the columns of `run_probes`."""
    truth = task.codes[split.test]
    return {
        "rotation": split.rotation,
        "seed": split.seed,
        "balanced_accuracy": balanced_accuracy(truth, guess),
        "accuracy": 100 * float(np.mean(guess == truth)),
        "top_share": 100 * float(np.bincount(guess).max() / len(guess)),
        "chance": 100 / len(np.unique(truth)),
        "n_train_subjects": len(np.unique(identity[split.probe])),
        "n_test_subjects": len(np.unique(identity[split.test])),
        "n_test": len(split.test),
    }


def _candidates(settings: ProbeSettings, kind: str, protocol: str, seed: int) -> list:
    if protocol == "A":
        return [SupportVectors() if kind == "SVM" else RandomForestClassifier(max_depth=1000, random_state=0)]
    if kind == "SVM":
        return [SupportVectors(C=c, class_weight="balanced") for c in settings.svm_c]
    forest = partial(RandomForestClassifier, settings.rf_trees, class_weight="balanced_subsample", random_state=seed)
    return [forest(min_samples_leaf=leaf) for leaf in settings.rf_leaf]


def _classical(rows_of, split: Split, task: Task, settings: ProbeSettings, kind: str, protocol: str) -> np.ndarray:
    """What the SVM or the random forest guesses of one split's test people."""
    train, validation, test = (rows_of(rows) for rows in (split.probe, split.validation, split.test))
    if protocol == "B":
        scaler = StandardScaler().fit(train)
        train, validation, test = (scaler.transform(part) for part in (train, validation, test))
    candidates = _candidates(settings, kind, protocol, derive_seed(split.seed, kind) % 2**32)
    fitted = [model.fit(train, task.codes[split.probe]) for model in candidates]
    best = 0
    if len(fitted) > 1:
        truth = task.codes[split.validation]
        best = int(np.argmax([balanced_accuracy(truth, model.predict(validation)) for model in fitted]))
    return fitted[best].predict(test)


def _neural(z: Representation, task: Task, splits: list[Split], settings: ProbeSettings, protocol: str) -> list:
    """What the network guesses of every split's test people; the splits train as one bank."""
    known = task.codes >= 0  # only labelled images stand on the device
    place = np.cumsum(known) - 1  # of an image among them
    moved = [_move(split, lambda rows: place[rows]) for split in splits]
    heads = range(len(splits)) if z.trained else (0,)
    x = torch.stack([torch.tensor(z.rows(head, np.flatnonzero(known))) for head in heads])  # (S, M, D) or (1, M, D)
    inner = replace(task, codes=task.codes[known])
    if protocol == "A":
        return _as_published(x, inner, moved, settings.nn_epochs)
    shapes = [(shape,) if isinstance(shape, int) else shape for shape in settings.nn_hidden]
    runs = on_all_cores(lambda widths: _tuned(x, inner, moved, settings.nn_epochs, widths), shapes)
    best = np.argmax([scores for scores, _ in runs], axis=0)
    return [runs[choice][1][s] for s, choice in enumerate(best)]


class _Bank:
    """One network for each split, in training. `x` is (S, M, D), or (1, M, D) where all splits share it."""

    def __init__(self, x: torch.Tensor, codes: np.ndarray, model: Classifiers, rate: float, decay: float):
        self.x, self.codes, self.model = x, torch.as_tensor(codes), model
        self.which = torch.arange(len(model.biases[0]))[:, None] % len(x)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)

    def step(self, index: torch.Tensor) -> None:
        """One step on the rows index (S, B)."""
        self.optimiser.zero_grad(set_to_none=True)
        cross_entropy(self.model(self.x[self.which, index]), self.codes[index]).sum().backward()
        self.optimiser.step()

    @torch.no_grad()
    def guess(self, rows: list[np.ndarray]) -> list[np.ndarray]:
        """The class of every split's own rows, int64 (rows,) each."""
        classes = self.model(self.x[self.which, _padded(rows)]).argmax(-1).numpy()
        return [part[: len(r)] for part, r in zip(classes, rows, strict=True)]


def _padded(rows: list[np.ndarray]) -> torch.Tensor:
    """Rows of every split, repeated to one length: (S, W)."""
    longest = max(map(len, rows))
    return torch.as_tensor(np.stack([np.resize(r, longest) for r in rows]))


class _Stopping:
    """Early stopping of each of S splits by itself: after `patience` looks without a better score it is over."""

    def __init__(self, count: int, patience: int):
        self.patience, self.best, self.waited = patience, np.full(count, -np.inf), np.zeros(count, int)

    @property
    def running(self) -> np.ndarray:
        """Which splits still train: bool (S,)."""
        return self.waited < self.patience

    def look(self, scores: np.ndarray) -> np.ndarray:
        """Which of the splits that train have their best score (S,) now."""
        running = self.running
        better = running & (scores > self.best)
        self.best[better] = scores[better]
        self.waited = np.where(better, 0, self.waited + running)
        return better


def _as_published(x: torch.Tensor, task: Task, splits: list[Split], epochs: int) -> list[np.ndarray]:
    """Protocol A: the guesses of every split's network at its stop."""
    count = len(splits)
    generator = torch.Generator().manual_seed(derive_seed(splits[0].seed, "nn", task.name, "A"))
    model = Classifiers(count, x.shape[-1], (10,), len(task.classes), generator, activation=torch.sigmoid)
    bank, stopping = _Bank(x, task.codes, model, 1e-3, 0.0), _Stopping(count, 10)
    train, test = (_padded([getattr(split, part) for split in splits]) for part in ("probe", "test"))
    shown, truth = x[bank.which, test], bank.codes[test]
    own = torch.arange(test.shape[1]) < torch.tensor([[len(split.test)] for split in splits])  # not repeated: (S, W)
    guesses = torch.zeros_like(test)
    for _ in range(epochs):
        order = torch.rand(train.shape, generator=generator).argsort(1)
        for index in train.gather(1, order).split(128, dim=1):
            bank.step(index)
        with torch.no_grad():
            logits = model(shown)
        running = torch.as_tensor(stopping.running)[:, None]
        guesses = torch.where(running, logits.argmax(-1), guesses)
        right = logits.log_softmax(-1).gather(-1, truth[..., None])[..., 0]  # log-likelihood of the truth
        stopping.look(((right * own).sum(1) / own.sum(1)).numpy())
        if not stopping.running.any():
            break
    return [guess[: len(split.test)].numpy() for guess, split in zip(guesses, splits, strict=True)]


def _tuned(
    x: torch.Tensor, task: Task, splits: list[Split], epochs: int, widths: tuple[int, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Protocol B, one shape: every split's best score on its validation people, and the guesses at that time."""
    key = (task.name, "B", widths)
    generator = torch.Generator().manual_seed(derive_seed(splits[0].seed, "nn", *key))
    rng = np.random.default_rng(derive_seed(splits[0].seed, "nn tables", *key))
    train, validation, test = ([getattr(split, part) for split in splits] for part in ("probe", "validation", "test"))
    sampler = GroupSampler(train, task.codes, cap=2048, at_least=1, generator=rng, device=x.device)
    each = max(1, 128 // sampler.fewest)  # batches of 128, as many of every class
    steps = max(1, round(np.mean([len(rows) for rows in train]) / 128))
    model = Classifiers(len(splits), x.shape[-1], widths, len(task.classes), generator)
    bank, stopping = _Bank(x, task.codes, model, 3e-3, 0.01), _Stopping(len(splits), 6)
    model.standardise(x[bank.which, sampler.draw(None, 8 * each, generator)])
    guesses = [np.empty(0, np.int64)] * len(splits)
    for epoch in range(epochs):
        for _ in range(steps):
            bank.step(sampler.draw(None, each, generator))
        if epoch % 5 == 4 or epoch == epochs - 1:
            pairs = zip(validation, bank.guess(validation), strict=True)
            better = stopping.look(np.array([balanced_accuracy(task.codes[rows], guess) for rows, guess in pairs]))
            now = bank.guess(test) if better.any() else guesses
            guesses = [new if b else old for b, new, old in zip(better, now, guesses, strict=True)]
            if not stopping.running.any():
                break
    return stopping.best, guesses

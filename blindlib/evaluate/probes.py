"""Train probes on a frozen representation: NN, SVM, RF and a linear classifier, tested on unseen subjects.

A probe's features are one of two views, fitted on its training subjects. *Standardised* scales every dimension by its
mean and deviation, as the paper does. *Whitened* scales every principal direction to variance 1. A trained head may
shrink an attribute into directions of tiny variance. The standardised view hides it there, the whitened one does not.

Classes are weighted equally, settings are selected on validation subjects, and balanced accuracy is reported on test
subjects. The *selected* probe is the most accurate of NN, SVM and linear on both views, on validation subjects.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC
from sklearn.utils.validation import check_consistent_length

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, spread
from blindlib.data.splits import Split
from blindlib.metrics import balanced_accuracy
from blindlib.settings import ProbeSettings

PROBES = ("NN", "SVM", "RF")  # the paper's, on standardised features
ATTACKERS = ("NN", "SVM", "linear")  # on both views; validation subjects select one of them
SELECTED = "selected"
_SHRINKAGE = ("auto", 1e-4)  # of the linear probe: with and almost without; shrinkage hides what varies least
_BATCH = 132


def standardised(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the standardised view on train (N, D); return a map of (M, D) to (M, D), float32."""
    centre, scale = train.mean(0), np.maximum(train.std(0), 1e-8)
    return lambda z: (z - centre) / scale


def whitened(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the whitened view on train (N, D); return a map of (M, D) to (M, D), float32.

    From 8 D rows on it uses the sample covariance, because shrinkage towards the identity would hide what varies least.
    With fewer rows the covariance is shrunk as by Ledoit & Wolf 2004. Directions without variance in train become 0.
    """
    centre, values = train.mean(0), train.astype(np.float64)
    enough = len(train) >= 8 * train.shape[1]  # our choice
    size, ways = np.linalg.eigh(np.cov(values, rowvar=False) if enough else ledoit_wolf(values)[0])
    scale, varies = np.zeros_like(size), size > max(1e-12 * size[-1], 1e-30)
    scale[varies] = 1 / np.sqrt(size[varies])
    ways = (ways * scale).astype(np.float32)
    return lambda z: (z - centre) @ ways


VIEWS = {"standardised": standardised, "whitened": whitened}


@dataclass(frozen=True)
class Task:
    """Name a label to predict (`emotion`, `gender` or `ethnicity`), with its codes and classes."""

    name: str
    codes: np.ndarray  # int64 (N,): the class of every image, −1 for no label
    classes: list[str]


def run_probes(
    representation: Representation,
    task: Task,
    splits: list[Split],
    settings: ProbeSettings,
    *,
    probes: tuple[tuple[str, str], ...],
    identity: np.ndarray,
) -> list[dict]:
    """Train and test probes on every split.

    Parameters
    ----------
    probes : tuple of (kind, view)
        Kinds are `NN`, `SVM`, `RF` and `linear`, views those of `VIEWS`. With several of `ATTACKERS` a row `selected`
        is added: in every split the most accurate one on validation subjects.
    identity : array (N,)
        The subject of every row, to count subjects.

    Returns
    -------
    list of dict
        A row for each probe (`NN`, `NN whitened`, …) and split: `balanced_accuracy`, `accuracy`, `top_share` (the share
        of the most predicted class: at 100 the probe has collapsed), `chance`, all in percent on test subjects, and
        counts.

    Raises
    ------
    InputError
        If a split cannot be probed; see `labelled_splits`.
    """
    representation.serves(len(splits))
    splits = labelled_splits(splits, task, identity)
    numbers = range(len(splits))
    jobs = [(probe, [*numbers]) for probe in probes if probe[0] == "NN"]  # one bank for all splits
    jobs += [(probe, [number]) for probe in probes if probe[0] != "NN" for number in numbers]

    def work(job: tuple) -> list[tuple[float, np.ndarray]]:
        (kind, view), own = job
        parts = [view_of(representation, number, splits[number], view) for number in own]
        if kind == "NN":
            return train_networks(parts, task, splits, settings, view)
        return [FITTERS[kind](*parts[0], task, splits[own[0]], settings)]

    found: dict[tuple[str, str], list[tuple[float, np.ndarray]]] = {probe: [] for probe in probes}
    for (probe, _), answers in zip(jobs, spread(work, jobs), strict=True):
        found[probe] += answers
    guesses = {probe_name(*probe): [guess for _, guess in found[probe]] for probe in probes}
    rivals = [found[probe] for probe in probes if probe[0] in ATTACKERS]
    if len(rivals) > 1:
        guesses[SELECTED] = [max(own, key=lambda answer: answer[0])[1] for own in zip(*rivals, strict=True)]
    return [
        {"task": task.name, "probe": name, "protocol": "B"} | score(task, split, guess, identity)
        for name, of_splits in guesses.items()
        for split, guess in zip(splits, of_splits, strict=True)
    ]


def probe_name(kind: str, view: str) -> str:
    """Return the name of a probe in tables: `NN`, `NN whitened`."""
    return kind if view == "standardised" else f"{kind} {view}"


def view_of(z: Representation, number: int, split: Split, view: str) -> list[np.ndarray]:
    """Return the features (N, D) of a split's training, validation and test subjects in a view."""
    train, *others = (z.rows(number, rows) for rows in (split.probe, split.validation, split.test))
    see = VIEWS[view](train)
    return [see(part) for part in (train, *others)]


def labelled_splits(splits: list[Split], task: Task, identity: np.ndarray | None = None) -> list[Split]:
    """Return the splits with labelled images alone, by `labelled`, after a check of their classes.

    Raises InputError if there is no split, a part of one has no labelled image, or its training subjects have one class
    alone; ValueError if `identity` (N,) has another length than the task.
    """
    check_consistent_length(task.codes, identity)
    if not splits:
        raise InputError("splits", "are none", "give one or more")
    for number, split in enumerate(splits):
        for part in ("probe", "validation", "test"):
            codes = task.codes[getattr(split, part)]
            shown = np.unique(codes[codes >= 0])
            if len(shown) < 1 + (part == "probe"):
                problem = f"shows {len(shown)} classes of {task.name}"
                raise InputError(f"split {number}, {part}", problem, "label more people, or take fewer rotations")
    return [labelled(split, task) for split in splits]


def labelled(split: Split, task: Task) -> Split:
    """Return the split with labelled images alone, in the parts that train, validate and test probes."""
    return _move(split, lambda rows: rows[task.codes[rows] >= 0])


def _move(split: Split, change: Callable[[np.ndarray], np.ndarray]) -> Split:
    """Apply a function to the rows of the parts that train, validate and test probes."""
    return replace(split, probe=change(split.probe), validation=change(split.validation), test=change(split.test))


def score(task: Task, split: Split, guess: np.ndarray, identity: np.ndarray) -> dict:
    """Score a probe's predictions (test images,), in percent, with chance and counts: the columns of `run_probes`."""
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


def select(models, train, validation, test, task: Task, split: Split) -> tuple[float, np.ndarray]:
    """Fit models and select the best one on validation subjects; return that accuracy and its test predictions."""
    y, truth, best = task.codes[split.probe], task.codes[split.validation], (-np.inf, None)
    for model in models:
        model.fit(train, y)
        value = balanced_accuracy(truth, model.predict(validation))
        if value > best[0]:
            best = value, model
    return best[0], best[1].predict(test)


def _linear(train, validation, test, task: Task, split: Split, settings: ProbeSettings) -> tuple[float, np.ndarray]:
    models = [LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage) for shrinkage in _SHRINKAGE]
    return select(models, train, validation, test, task, split)


def _forest(train, validation, test, task: Task, split: Split, settings: ProbeSettings) -> tuple[float, np.ndarray]:
    seed = derive_seed(split.seed, "RF") % 2**32
    options = {"class_weight": "balanced_subsample", "max_features": settings.rf_features, "random_state": seed}
    models = [RandomForestClassifier(settings.rf_trees, min_samples_leaf=n, **options) for n in settings.rf_leaf]
    return select(models, train, validation, test, task, split)


def _support_vectors(train, validation, test, task: Task, split: Split, settings: ProbeSettings):
    """Fit an RBF SVM with scikit-learn's default γ; all C share one kernel matrix."""
    gamma = 1 / (train.shape[1] * max(train.var(), 1e-12))
    kernels = [rbf_kernel(part, train, gamma).astype(np.float64) for part in (train, validation, test)]
    models = [SVC(C=c, kernel="precomputed", class_weight="balanced", cache_size=1000) for c in settings.svm_c]
    return select(models, *kernels, task, split)


FITTERS = {"linear": _linear, "RF": _forest, "SVM": _support_vectors}  # of one split; networks train as one bank


def train_networks(
    parts: list[list[np.ndarray]], task: Task, splits: list[Split], settings: ProbeSettings, view: str
) -> list[tuple[float, np.ndarray]]:
    """Train one network a split, all as one bank; return each one's best validation accuracy and test predictions.

    The learning rate rises over a tenth of the steps and falls by a cosine. The best of four checkpoints on validation
    subjects is kept.
    """
    codes, count, classes = torch.as_tensor(task.codes), len(splits), len(task.classes)
    generator = torch.Generator().manual_seed(derive_seed(splits[0].seed, "nn", task.name, view))
    train = _padded([split.probe for split in splits])  # (S, N)
    seen, heard, asked = (
        torch.stack([torch.tensor(np.resize(own[k], (length, own[k].shape[1]))) for own in parts])
        for k, length in enumerate(max(len(own[k]) for own in parts) for k in range(3))
    )
    y = codes[train]
    member = torch.nn.functional.one_hot(y, classes).sum(1).clamp_min(1)  # (S, C)
    weight = (y.shape[1] / member).gather(1, y) / classes  # balanced
    model = Classifiers(count, seen.shape[-1], settings.nn_hidden, classes, generator)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.nn_rate, weight_decay=settings.nn_decay, fused=True)
    batch, steps = min(_BATCH, y.shape[1]), settings.nn_steps
    best = [(-np.inf, np.empty(0, np.int64))] * count
    for step in range(steps):
        place = step % (y.shape[1] // batch) * batch
        if place == 0:
            order = torch.rand(y.shape, generator=generator).argsort(1)
        now, share = order[:, place : place + batch], (step + 1) / steps
        rate = settings.nn_rate * min(1, share / 0.1) * (1 + math.cos(math.pi * share)) / 2
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        answer = model(seen[torch.arange(count)[:, None], now])
        loss = torch.nn.functional.cross_entropy(answer.transpose(1, 2), y.gather(1, now), reduction="none")
        (loss * weight.gather(1, now)).mean(1).sum().backward()
        optimiser.step()
        if (step + 1) % (steps // 4) == 0:
            with torch.no_grad():
                answers = [model(part).argmax(-1).numpy() for part in (heard, asked)]
            for s, split in enumerate(splits):
                value = balanced_accuracy(task.codes[split.validation], answers[0][s, : len(split.validation)])
                if value > best[s][0]:
                    best[s] = value, answers[1][s, : len(split.test)]
    return best


def _padded(rows: list[np.ndarray]) -> torch.Tensor:
    """Repeat rows of every split to one length: (S, W)."""
    longest = max(map(len, rows))
    return torch.as_tensor(np.stack([np.resize(r, longest) for r in rows]))

"""Fresh attackers: what NN, SVM and RF read from a frozen representation of people they have not seen.

Protocol A does as FairCVtest's public code does: features as they come, default settings, and the network stopped where
its *test* score is best. Protocol B is our own: features standardised on the training people, classes balanced,
settings chosen on validation people. Both report balanced accuracy on test people; conclusions rest on B.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.losses import cross_entropy
from blindlib.blinders.representation import Representation
from blindlib.blinders.sampling import GroupSampler
from blindlib.common.work import derive_seed
from blindlib.data.splits import Split
from blindlib.metrics import balanced_accuracy
from blindlib.settings import ProbeSettings

PROBES = ("NN", "SVM", "RF")


@dataclass(frozen=True)
class Task:
    """What a probe has to read: `emotion`, `gender` or `ethnicity`."""

    name: str
    codes: np.ndarray  # int64 (N,): the class of every image, −1 for no label
    classes: list[str]


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
    """
    representation.serves(len(splits))
    splits = [_move(split, lambda rows: rows[task.codes[rows] >= 0]) for split in splits]  # labelled images alone
    rows = []
    for kind in kinds:
        for protocol in protocols:
            if kind == "NN":
                guesses = _neural(representation, task, splits, settings, protocol)
            else:
                guesses = Parallel(n_jobs=-1, prefer="threads")(
                    delayed(_classical)(partial(representation.rows, number), task, split, settings, kind, protocol)
                    for number, split in enumerate(splits)
                )
            attack = {"task": task.name, "probe": kind, "protocol": protocol}
            rows += [attack | _score(task, *tested, identity) for tested in zip(splits, guesses, strict=True)]
    return rows


def _move(split: Split, change: Callable[[np.ndarray], np.ndarray]) -> Split:
    """The split with other rows for those who train probes, validate and are tested."""
    return replace(split, probe=change(split.probe), validation=change(split.validation), test=change(split.test))


def _score(task: Task, split: Split, guess: np.ndarray, identity: np.ndarray) -> dict:
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
        return [SVC(kernel="rbf") if kind == "SVM" else RandomForestClassifier(max_depth=1000, random_state=0)]
    if kind == "SVM":
        return [SVC(kernel="rbf", C=c, class_weight="balanced") for c in settings.svm_c]
    forest = partial(RandomForestClassifier, settings.rf_trees, class_weight="balanced_subsample", random_state=seed)
    return [forest(min_samples_leaf=leaf) for leaf in settings.rf_leaf]


def _classical(rows_of, task: Task, split: Split, settings: ProbeSettings, kind: str, protocol: str) -> np.ndarray:
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
    widths = (10,) if protocol == "A" else settings.nn_hidden
    inner = replace(task, codes=task.codes[known])
    runs = [_fit_neural(x, inner, moved, settings.nn_epochs, protocol, width) for width in widths]
    best = np.argmax([scores for scores, _ in runs], axis=0)
    return [runs[choice][1][s] for s, choice in enumerate(best)]


def _fit_neural(
    x: torch.Tensor, task: Task, splits: list[Split], epochs: int, protocol: str, width: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One width: for every split the best score on the people who decide when to stop, and the guesses at that time."""
    plain = protocol == "A"
    key = (task.name, protocol, width)
    generator = torch.Generator().manual_seed(derive_seed(splits[0].seed, "nn", *key))
    rng = np.random.default_rng(derive_seed(splits[0].seed, "nn tables", *key))
    count, code = len(splits), torch.as_tensor(task.codes)
    which = torch.arange(count)[:, None] % len(x)  # each split has features of its own, or all share one set
    train, tests = [split.probe for split in splits], [split.test for split in splits]
    deciders = tests if plain else [split.validation for split in splits]
    groups = np.zeros_like(task.codes) if plain else task.codes  # A does not balance
    sampler = GroupSampler(train, groups, cap=2048, at_least=1, generator=rng, device=x.device)
    activation = torch.sigmoid if plain else torch.relu
    model = Classifiers(count, x.shape[-1], (width,), len(task.classes), generator, activation=activation)
    each = max(1, 128 // sampler.fewest)  # batches of 128
    steps = max(1, round(np.mean([len(rows) for rows in train]) / 128))
    if not plain:
        model.standardise(x[which, sampler.draw(None, 8 * each, generator)])
    rate, decay = (1e-3, 0.0) if plain else (3e-3, 0.01)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)

    @torch.no_grad()
    def predict(rows: list[np.ndarray]) -> list[np.ndarray]:
        longest = max(map(len, rows))
        index = torch.as_tensor(np.stack([np.resize(r, longest) for r in rows]))
        guess = model(x[which, index]).argmax(-1).numpy()
        return [g[: len(r)] for g, r in zip(guess, rows, strict=True)]

    best, guesses = np.full(count, -1.0), [np.empty(0, np.int64)] * count
    for epoch in range(epochs):
        for _ in range(steps):
            index = sampler.draw(None, each, generator)
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(model(x[which, index]), code[index]).sum().backward()
            optimiser.step()
        if epoch % 5 == 4 or epoch == epochs - 1:
            answers = predict(deciders)
            scores = [balanced_accuracy(task.codes[r], guess) for r, guess in zip(deciders, answers, strict=True)]
            better = np.flatnonzero(scores > best)
            on_test = predict(tests) if len(better) else []
            for s in better:
                best[s], guesses[s] = scores[s], on_test[s]
    return best, guesses

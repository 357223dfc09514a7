"""Fresh attackers: what NN, SVM and RF read from a frozen representation of people they have not seen.

Protocol A does as FairCVtest's public code does: features as they come, default settings, and the network stopped where
its *test* score is best. Protocol B is ours: features standardised on the training people, classes balanced, settings
chosen on validation people. Both report balanced accuracy on test people; conclusions rest on B.
"""

from dataclasses import dataclass, replace

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
    """What a probe is asked.

    Attributes
    ----------
    name : str
        `emotion`, `gender` or `ethnicity`.
    codes : int64 array (N,)
        Class of every image; −1 for no label.
    classes : list of str
    """

    name: str
    codes: np.ndarray
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
    rows = []
    for kind in kinds:
        for protocol in protocols:
            guesses = (
                _neural(representation, task, splits, settings, protocol)
                if kind == "NN"
                else _classical(representation, task, splits, settings, kind, protocol)
            )
            rows += [
                _row(task, split, kind, protocol, guess, identity) for split, guess in zip(splits, guesses, strict=True)
            ]
    return rows


def labelled(rows: np.ndarray, task: Task) -> np.ndarray:
    """Those rows that carry a label of the task."""
    return rows[task.codes[rows] >= 0]


def _row(task: Task, split: Split, kind: str, protocol: str, guess: np.ndarray, identity: np.ndarray) -> dict:
    test, train = labelled(split.test, task), labelled(split.probe, task)
    truth = task.codes[test]
    return {
        "task": task.name,
        "probe": kind,
        "protocol": protocol,
        "rotation": split.rotation,
        "seed": split.seed,
        "balanced_accuracy": balanced_accuracy(truth, guess),
        "accuracy": 100 * float(np.mean(guess == truth)),
        "top_share": 100 * float(np.bincount(guess).max() / len(guess)),
        "chance": 100 / len(np.unique(truth)),
        "n_train_subjects": len(np.unique(identity[train])),
        "n_test_subjects": len(np.unique(identity[test])),
        "n_test": len(test),
    }


def _classical(z, task, splits, settings, kind, protocol) -> list[np.ndarray]:
    """Guesses of SVM or RF on every split's test people; the splits run on all cores."""
    return Parallel(n_jobs=-1, prefer="threads")(
        delayed(_fit_classical)(z, s, task, split, settings, kind, protocol) for s, split in enumerate(splits)
    )


def _candidates(settings: ProbeSettings, kind: str, protocol: str, seed: int) -> list:
    if protocol == "A":
        return [SVC(kernel="rbf") if kind == "SVM" else RandomForestClassifier(max_depth=1000, random_state=0)]
    if kind == "SVM":
        return [SVC(kernel="rbf", C=c, class_weight="balanced") for c in settings.svm_c]
    return [
        RandomForestClassifier(
            settings.rf_trees, min_samples_leaf=leaf, class_weight="balanced_subsample", random_state=seed
        )
        for leaf in settings.rf_leaf
    ]


def _fit_classical(z, s, task, split, settings, kind, protocol) -> np.ndarray:
    train, held, test = (labelled(rows, task) for rows in (split.probe, split.validation, split.test))
    seen, checked, tested = (z.rows(s, rows) for rows in (train, held, test))
    if protocol == "B":
        scaler = StandardScaler().fit(seen)
        seen, checked, tested = (scaler.transform(part) for part in (seen, checked, tested))
    fitted = [
        model.fit(seen, task.codes[train])
        for model in _candidates(settings, kind, protocol, derive_seed(split.seed, kind) % 2**32)
    ]
    scores = [balanced_accuracy(task.codes[held], m.predict(checked)) for m in fitted] if len(fitted) > 1 else [0]
    return fitted[int(np.argmax(scores))].predict(tested)


def _neural(z, task, splits, settings, protocol) -> list[np.ndarray]:
    """Guesses of the network on every split's test people; the splits train as one bank."""
    widths = (10,) if protocol == "A" else settings.nn_hidden
    known = np.flatnonzero(task.codes >= 0)  # only labelled images stand on the device
    row_of = np.full(len(task.codes), -1)
    row_of[known] = np.arange(len(known))
    inner = Task(task.name, task.codes[known], task.classes)
    moved = [
        replace(s, **{r: row_of[labelled(getattr(s, r), task)] for r in ("probe", "validation", "test")})
        for s in splits
    ]
    heads = range(len(splits)) if z.trained else (0,)
    x = torch.stack([torch.tensor(z.rows(s, known)) for s in heads])  # (S, M, D), or (1, M, D) where they share it
    runs = [_fit_neural(x, inner, moved, settings, protocol, width) for width in widths]
    best = np.argmax([scores for scores, _ in runs], axis=0)
    return [runs[choice][1][s] for s, choice in enumerate(best)]


def _fit_neural(x, task, splits, settings, protocol, width) -> tuple[np.ndarray, list[np.ndarray]]:
    """One width: the best score on the people who decide when to stop, and the guesses there, for every split."""
    generator = torch.Generator().manual_seed(derive_seed(splits[0].seed, "nn", task.name, protocol, width))
    rng = np.random.default_rng(derive_seed(splits[0].seed, "nn tables", task.name, protocol, width))
    count, (sets, images, dim) = len(splits), x.shape
    x = x.reshape(-1, dim)  # (S * M, D), or (M, D) where all splits share it
    base = torch.arange(count)[:, None] * images if sets > 1 else torch.zeros(count, 1, dtype=torch.int64)
    code = torch.as_tensor(task.codes)
    train = [split.probe for split in splits]
    groups = task.codes if protocol == "B" else np.zeros_like(task.codes)  # A does not balance
    sampler = GroupSampler(train, groups, cap=2048, at_least=1, generator=rng, device=x.device)
    activation = torch.sigmoid if protocol == "A" else torch.relu
    model = Classifiers(count, dim, (width,), len(task.classes), generator, activation=activation)
    each = max(1, 128 // sampler.fewest)  # batches of 128
    steps = max(1, round(np.mean([len(rows) for rows in train]) / 128))
    if protocol == "B":
        model.standardise(x[base + sampler.draw(None, 8 * each, generator)])
    tests = [split.test for split in splits]
    deciders = tests if protocol == "A" else [split.validation for split in splits]
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1e-3 if protocol == "A" else 3e-3, weight_decay=0.0 if protocol == "A" else 0.01
    )
    best, guesses = np.full(count, -1.0), [np.empty(0, np.int64)] * count
    for epoch in range(settings.nn_epochs):
        for _ in range(steps):
            index = sampler.draw(None, each, generator)
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(model(x[base + index]), code[index]).sum().backward()
            optimiser.step()
        if epoch % 5 == 4 or epoch == settings.nn_epochs - 1:
            _keep_best(model, x, base, task.codes, deciders, tests, best, guesses)
    return best, guesses


@torch.no_grad()
def _keep_best(model, x, base, codes, deciders, tests, best, guesses) -> None:
    answer = _predict(model, x, base, deciders)
    scores = np.array([balanced_accuracy(codes[rows], guess) for rows, guess in zip(deciders, answer, strict=True)])
    better = np.flatnonzero(scores > best)
    if len(better):
        on_test = _predict(model, x, base, tests)
        for s in better:
            best[s], guesses[s] = scores[s], on_test[s]


def _predict(model, x, base, rows: list[np.ndarray]) -> list[np.ndarray]:
    width = max(map(len, rows))
    index = torch.as_tensor(np.stack([np.resize(r, width) for r in rows]))
    guess = model(x[base + index]).argmax(-1).numpy()
    return [g[: len(r)] for g, r in zip(guess, rows, strict=True)]

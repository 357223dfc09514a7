"""An attack without training: whoever resembles the angry is angry.

A picture's emotion is voted by its nearest pictures, by cosine of φ(x) as it comes, among labelled pictures of other
people. Nothing is fitted or standardised, and so nothing can fail to learn; the ladder's rung `kNN` is another attack:
it standardises, and weighs by Euclidean distance.

Source: after Osorio-Roig et al. 2021, arXiv 2111.12405, who infer gender from the highest similarity scores of
privacy-enhanced templates to an arbitrary data base's. Votes weighed by class and k by validation people are ours.
"""

import numpy as np
import torch
from torch.nn import functional

from blindlib.blinders.representation import Representation
from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.work import on_all_cores
from blindlib.data.splits import Split
from blindlib.evaluate.probes import Task, labelled_splits, score
from blindlib.metrics import balanced_accuracy

NEIGHBOURS = (1, 5, 15, 45)  # k; our choice
_BLOCK = 2048  # rows whose similarities stand in memory at a time


@door.takes(identity=door.labels)
def attack_by_similarity(
    representation: Representation, task: Task, splits: list[Split], identity: np.ndarray
) -> list[dict]:
    """What the neighbours tell of test people, among a split's attack people; k is chosen on validation people.

    `identity` (N,) is who is shown.

    Returns
    -------
    list of dict
        A row for each split as `probes.run_probes`, of the probe `similarity` and protocol B.
    """
    representation.serves(len(splits))
    splits = labelled_splits(splits, task, identity)
    jobs = list(enumerate(splits))
    guesses = on_all_cores(lambda job: _guess(representation, task, *job), jobs)
    return [
        {"task": task.name, "probe": "similarity", "protocol": "B"} | score(task, split, guess, identity)
        for split, guess in zip(splits, guesses, strict=True)
    ]


def _guess(z: Representation, task: Task, number: int, split: Split) -> np.ndarray:
    known, codes = z.rows(number, split.probe), task.codes[split.probe]
    ks = sorted({min(k, len(codes)) for k in NEIGHBOURS})
    seen = votes(z.rows(number, split.validation), known, codes, ks)
    best = int(np.argmax([balanced_accuracy(task.codes[split.validation], guess) for guess in seen]))
    return votes(z.rows(number, split.test), known, codes, [ks[best]])[0]


@door.takes(
    "known",
    "codes",
    asked=door.matrix,
    known=door.some(door.matrix),
    codes=door.codes,
    ks=door.each(door.number(1, 10**9, whole=True)),
)
def votes(asked: np.ndarray, known: np.ndarray, codes: np.ndarray, ks: list[int]) -> np.ndarray:
    """The class that the k nearest of `known` (M, D) vote for each of `asked` (N, D), by cosine: int64 (ks, N).

    A vote weighs one over the number of its class in `codes` (M,), so that a frequent class wins nothing by being
    frequent; of classes with equal votes the one whose pictures are nearer wins. Raises InputError if there are fewer
    than k pictures or the widths differ.
    """
    if asked.shape[1] != known.shape[1] or max(ks) > len(known):
        problem = f"has shape {known.shape} for {asked.shape} asked and k up to {max(ks)}"
        raise InputError("known", problem, "give as many columns, and k rows or more")
    asked, known = (functional.normalize(torch.tensor(np.ascontiguousarray(x, np.float32))) for x in (asked, known))
    classes, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    most, guesses = max(ks), np.empty((len(ks), len(asked)), np.int64)
    for start in range(0, len(asked), _BLOCK):
        near = place[(asked[start : start + _BLOCK] @ known.T).topk(most).indices.numpy()]  # classes, nearest first
        weight = (1 + 1e-6 * np.arange(most, 0, -1)) / counts[near]  # (block, most); what is near settles a tie
        ballot = np.eye(len(classes))[near] * weight[..., None]
        for n, k in enumerate(ks):
            guesses[n, start : start + _BLOCK] = classes[ballot[:, :k].sum(1).argmax(1)]
    return guesses

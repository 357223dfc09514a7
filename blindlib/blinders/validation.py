"""Validate heads in training on subjects that train no head, and select λ by the results."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.detectors import shrunk
from blindlib.blinders.rounding import rounded
from blindlib.blinders.training import Training
from blindlib.common.work import derive_seed
from blindlib.metrics import balanced_accuracy

_LINEAR, _KERNEL = (1.0, 10.0), (0.3,)  # penalties of the ridge regressions; our choice
_IMAGES = 10  # the most images of a subject


class ValidationProbes:
    """Measure probe and verification accuracy of all heads in training, on what is released: φ in `bits`.

    Each call fits probes of the attribute on half of the validation subjects and tests them on the other half, both
    ways. They are ridge regressions, linear and with a Gaussian kernel, on standardised and on whitened features; the
    best one counts. Verification is the best accuracy over thresholds on validation pairs. Both select checkpoints and
    λ and draw curves; neither is a result.
    """

    def __init__(self, training: Training, seed: int, bits: int | None = None):
        self.training, self.data, self.bits = training, training.data, bits
        rng = np.random.default_rng(derive_seed(seed, "judge"))
        halves = list(zip(*(self._halves(rows, rng) for rows in self.data.validation), strict=True))
        self.tests = [[self._labelled(rows) for rows in half] for half in reversed(halves)]
        self.pairs = [self._pairs(rows, rng) for rows in self.data.validation]

    def _halves(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of two halves of the subjects, each with half of the subjects whose attribute is known."""
        people = rng.permutation(np.unique(self.data.identity[rows]))
        labelled = np.isin(people, self.data.identity[self._labelled(rows)])
        people = people[np.argsort(labelled, kind="stable")]
        first = np.isin(self.data.identity[rows], people[::2])
        return rows[first], rows[~first]

    def _labelled(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.data.attribute[rows] >= 0]

    def _pairs(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw at most 1,000 pairs of one subject and as many of two subjects: left rows, right rows, same (bool).

        The pairs of two lie within one data set, in equal proportion: cameras alone would separate the sets.
        """
        rows = rng.permutation(rows)
        rows = pd.Series(rows).groupby(self.data.identity[rows]).head(_IMAGES).to_numpy()
        rows = rows[np.argsort(self.data.identity[rows], kind="stable")]
        identity, part = self.data.identity[rows], self.data.part[rows]
        starts = [(lag, np.flatnonzero(identity[lag:] == identity[:-lag])) for lag in range(1, _IMAGES)]
        same = np.concatenate([np.stack([first, first + lag]) for lag, first in starts], axis=1)  # (2, pairs)
        same = same[:, rng.choice(same.shape[1], min(1000, same.shape[1]), replace=False)]
        parts, wanted = np.unique(part[same[0]], return_counts=True)
        draws = [_two_people(identity, np.flatnonzero(part == p), n, rng) for p, n in zip(parts, wanted, strict=True)]
        left, right = np.concatenate([same, *draws], axis=1)
        return rows[left], rows[right], identity[left] == identity[right]

    @torch.no_grad()
    def __call__(self) -> dict[str, np.ndarray]:
        """Return the balanced accuracy of the best probe and the verification accuracy, in percent: (H,) each."""
        peak = self.training.peaks()

        def released(rows: list[np.ndarray]) -> torch.Tensor:
            return rounded(self.training.blind(self._padded(rows)), peak, self.bits)

        accuracies = [self._probe(half, released) for half in (0, 1)]
        left, right, same = zip(*self.pairs, strict=True)
        distance = (released(left) - released(right)).norm(dim=-1)
        return {
            "attribute": np.mean(accuracies, axis=0).max(0),
            "identity": self._scores(_best_accuracy, same, distance),
        }

    def _probe(self, half: int, released: Callable) -> np.ndarray:
        """Return the balanced accuracy of each probe, fitted on one half and tested on the other: (kinds, H)."""
        train, test = self.tests[1 - half], self.tests[half]
        z, unseen = released(train), released(test)
        member = torch.nn.functional.one_hot(self.training.attribute[self._padded(train)], len(self.data.classes))
        counts = torch.tensor([len(own) for own in train], device=z.device)
        own = torch.arange(z.shape[1], device=z.device) < self.training.by_head(counts)[:, None]  # False: padding
        answers = map(_ridges, z, member.to(z.dtype) * own[..., None], unseen)
        truths = [self.data.attribute[rows] for rows in test]
        by_kind = (torch.stack(kind).argmax(-1) for kind in zip(*answers, strict=True))
        return np.stack([self._scores(balanced_accuracy, truths, answer) for answer in by_kind])

    def _padded(self, rows: list[np.ndarray]) -> torch.Tensor:
        """Repeat rows of every split to one length, for each of its heads: (H, W)."""
        width = max(map(len, rows))
        return self.training.by_head(self.training.on_device(np.stack([np.resize(r, width) for r in rows])))

    def _scores(self, score: Callable, truths: list[np.ndarray], answers: torch.Tensor) -> np.ndarray:
        """Score every head's predictions (H, W), without the padding, against its split's truth: (H,)."""
        truths = [truth for truth in truths for _ in self.training.strengths]
        return np.array([score(t, a[: len(t)]) for t, a in zip(truths, answers.cpu().numpy(), strict=True)])


def _views(z: torch.Tensor, unseen: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return z (N, D) and other rows (W, D), standardised and whitened by the statistics of z."""
    deviation, centre = torch.std_mean(z, 0)
    z, unseen = ((part - centre) / deviation.clamp_min(1e-8) for part in (z, unseen))
    spread = shrunk((z.T @ z / len(z))[None], torch.tensor([float(len(z))], device=z.device))[0]
    size, ways = torch.linalg.eigh(spread)
    ways = ways / size.clamp_min(1e-10 * float(size[-1])).sqrt()
    return [(z, unseen), (z @ ways, unseen @ ways)]


def _ridges(z: torch.Tensor, member: torch.Tensor, unseen: torch.Tensor) -> list[torch.Tensor]:
    """Predict other rows (W, D) by ridge regressions of class membership (N, C) on z (N, D): a list of (W, C).

    Each view has linear regressions by rising penalty, then one with a Gaussian kernel, as wide as the deviation over
    all dimensions. Rows without membership do not count; all classes have equal weight.
    """
    each = member.sum(0, keepdim=True)  # (1, C)
    weight = (member / each.clamp_min(1)).sum(-1, keepdim=True)  # (N, 1)
    weight = (weight * member.sum() / (each > 0).sum()).sqrt()
    wanted, answers = weight * (member - (each > 0) / (each > 0).sum()), []
    for seen, other in _views(z, unseen):
        products = seen @ seen.T / seen.shape[1], other @ seen.T / seen.shape[1]
        squares, others = (part.square().mean(-1) for part in (seen, other))
        gaussian = [
            torch.exp(2 * product - size[:, None] - squares)
            for product, size in zip(products, (squares, others), strict=True)
        ]
        for (kernel, asked), penalties in ((products, _LINEAR), (gaussian, _KERNEL)):
            kernel = weight * kernel * weight.T
            for penalty in penalties:
                penalised = kernel + penalty * torch.eye(len(kernel), device=kernel.device)
                factor = torch.linalg.cholesky_ex(penalised)[0]  # NaN where the head is NaN
                answers.append(asked @ (weight * torch.cholesky_solve(wanted, factor)))
    return answers


def _two_people(identity: np.ndarray, rows: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Draw pairs of two subjects among some rows: (2, wanted), or (2, 0) if there is only one subject."""
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < wanted and (identity[rows] != identity[rows[0]]).any():
        pairs = rng.choice(rows, (2, 2 * wanted))
        found = np.concatenate([found, pairs[:, identity[pairs[0]] != identity[pairs[1]]]], axis=1)
    return found[:, :wanted]


def _best_accuracy(same: np.ndarray, distance: np.ndarray) -> float:
    """Return the share of pairs, in percent, that the best threshold classifies correctly."""
    hits = np.cumsum(np.where(same[np.argsort(distance, kind="stable")], 1, -1))
    return 100 * max(int(hits.max()), 0) / len(same) + 100 * float((~same).mean())


def choose(history: list[dict], budget: float) -> pd.DataFrame:
    """Select λ for every split on its validation subjects.

    Among the λ above 0 whose verification Diff is within the budget (percent), select the one with the lowest probe
    accuracy; if none is within, the one with the lowest Diff. Returns a row for each split and λ: `split`, `strength`,
    `attribute` and `identity` (percent, of the kept checkpoint), `diff` (percent, of verification) and `chosen` (bool).
    """
    frame = pd.DataFrame(history)
    start = frame[frame["round"] == 0].groupby("split")["identity"].mean()
    table = frame.loc[frame["kept"], ["split", "strength", "attribute", "identity"]]
    table = table.sort_values(["split", "strength"], ignore_index=True)
    x = table["split"].map(start)
    table["diff"] = 100 * (x - table["identity"]) / (x - 50)
    table["chosen"] = False
    for _, rows in table[table["strength"] > 0].groupby("split"):
        within = rows[rows["diff"] <= budget]
        best = within["attribute"].idxmin() if len(within) else rows["diff"].idxmin()
        table.loc[best, "chosen"] = True
    return table

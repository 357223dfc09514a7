"""What validation people tell of heads in training: fresh probes, verification, and the choice of λ."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import TrainingSet, fit_classifiers
from blindlib.common.work import derive_seed
from blindlib.metrics import balanced_accuracy

_PROBE_STEPS = 150
_IMAGES = 10  # of a person, at most

Blind = Callable[[torch.Tensor], torch.Tensor]  # index (H, B) -> φ (H, B, D), each head its own


class ValidationProbes:
    """A fresh look at every head on its split's validation people, whom no head was trained on.

    The probe of the attribute is new each time, trained on one half of the validation people and tested on the other,
    both ways; the verification figure is the best accuracy over thresholds on validation pairs. Both serve to choose
    settings and to draw curves, never as a result.

    Parameters
    ----------
    data : TrainingSet
    strengths : int
        Heads per split.
    per_class : int
        Images of each class in a probe's batch.
    seed : int
    """

    def __init__(self, data: TrainingSet, strengths: int, per_class: int, seed: int):
        self.data, self.strengths, self.per_class, self.seed = data, strengths, per_class, seed
        self.target = data.on_device(data.attribute)
        rng = np.random.default_rng(derive_seed(seed, "judge"))
        halves = [self._halves(rows, rng) for rows in data.validation]
        self.samplers = [
            GroupSampler([h[k] for h in halves], data.attribute, cap=512, at_least=1, generator=rng, device=data.device)
            for k in (0, 1)
        ]
        self.tests = [[self._labelled(h[k]) for h in halves] for k in (1, 0)]
        self.pairs = [self._pairs(rows, rng) for rows in data.validation]

    def _halves(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two halves of the people, each with half of those who have a label of the attribute."""
        people = rng.permutation(np.unique(self.data.identity[rows]))
        labelled = np.isin(people, self.data.identity[self._labelled(rows)])
        people = people[np.argsort(labelled, kind="stable")]
        first = np.isin(self.data.identity[rows], people[::2])
        return rows[first], rows[~first]

    def _labelled(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.data.attribute[rows] >= 0]

    def _pairs(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """At most 1,000 pairs of one person, and as many of two, both of one data set (part) and in its proportion: two
        cameras would tell two people apart. A person brings 10 images at most, so that none dominates."""
        rows = rng.permutation(rows)
        rank = pd.Series(self.data.identity[rows]).groupby(self.data.identity[rows]).cumcount().to_numpy()
        rows = rows[rank < _IMAGES]
        rows = rows[np.argsort(self.data.identity[rows], kind="stable")]
        identity, part = self.data.identity[rows], self.data.part[rows]
        starts = [(lag, np.flatnonzero(identity[lag:] == identity[:-lag])) for lag in range(1, _IMAGES)]
        same = np.concatenate([np.stack([first, first + lag]) for lag, first in starts], axis=1)  # (2, pairs)
        same = same[:, rng.choice(same.shape[1], min(1000, same.shape[1]), replace=False)]
        parts, wanted = np.unique(part[same[0]], return_counts=True)
        draws = [_two_people(identity, np.flatnonzero(part == p), n, rng) for p, n in zip(parts, wanted, strict=True)]
        left, right = np.concatenate([same, *draws], axis=1)
        return rows[left], rows[right], identity[left] == identity[right]

    def __call__(self, blind: Blind, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Balanced accuracy of fresh probes of the attribute and of verification after a round, percent: (H,) each."""
        attribute = np.mean([self._probe(blind, k, number) for k in (0, 1)], axis=0)
        return attribute, self._verify(blind)

    def _probe(self, blind: Blind, k: int, number: int) -> np.ndarray:
        data, count = self.data, len(self.data.head) * self.strengths
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "probe", number, k))
        draws = torch.Generator(data.device).manual_seed(derive_seed(self.seed, "probe draws", number, k))
        probe = Classifiers(count, data.x.shape[1], (64,), len(data.classes), generator, sharing=self.strengths)
        probe = probe.to(data.device)
        fit_classifiers(
            probe,
            blind,
            self.target,
            lambda: self.samplers[k].draw(None, self.per_class, draws).repeat_interleave(self.strengths, 0),
            steps=_PROBE_STEPS,
        )
        with torch.no_grad():
            guess = probe(blind(self._padded(self.tests[k]))).argmax(-1).cpu().numpy()
        return np.array(
            [
                balanced_accuracy(data.attribute[rows], guess[h, : len(rows)])
                for h, rows in enumerate(rows for rows in self.tests[k] for _ in range(self.strengths))
            ]
        )

    def _padded(self, rows: list[np.ndarray]) -> torch.Tensor:
        """Rows of every split, repeated to one length, for each of its heads: (H, W)."""
        width = max(map(len, rows))
        index = self.data.on_device(np.stack([np.resize(r, width) for r in rows]))
        return index.repeat_interleave(self.strengths, 0)

    def _verify(self, blind: Blind) -> np.ndarray:
        left, right = (self._padded([pairs[side] for pairs in self.pairs]) for side in (0, 1))
        distance = (blind(left) - blind(right)).norm(dim=-1).cpu().numpy()
        sames = [same for _, _, same in self.pairs for _ in range(self.strengths)]
        return np.array([_best_accuracy(distance[h, : len(same)], same) for h, same in enumerate(sames)])


def _two_people(identity: np.ndarray, rows: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs of two people among some rows: (2, wanted), or (2, 0) where there is only one person."""
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < wanted and (identity[rows] != identity[rows[0]]).any():
        pairs = rng.choice(rows, (2, 2 * wanted))
        found = np.concatenate([found, pairs[:, identity[pairs[0]] != identity[pairs[1]]]], axis=1)
    return found[:, :wanted]


def _best_accuracy(distance: np.ndarray, same: np.ndarray) -> float:
    """Share of pairs, in percent, that the best threshold of all gets right."""
    hits = np.cumsum(np.where(same[np.argsort(distance, kind="stable")], 1, -1))
    return 100 * max(int(hits.max()), 0) / len(same) + 100 * float((~same).mean())


def choose(history: list[dict], budget: float) -> pd.DataFrame:
    """Choose λ for every split by its validation people alone.

    Of the strengths above 0 whose verification Diff on validation pairs stays within the budget, the one whose fresh
    probes read the attribute worst, averaged over the last three rounds; if none stays within, the one that costs
    least.

    Parameters
    ----------
    history : list of dict
        Of `training.train`, with validation.
    budget : float
        Percent.

    Returns
    -------
    DataFrame
        A row a split and strength: `split`, `strength`, `attribute`, `identity` (percent, on validation people), `diff`
        (of identity, percent) and `chosen` (bool).
    """
    frame = pd.DataFrame(history)
    start = frame[frame["round"] == 0].groupby("split")["identity"].mean()
    late = frame[frame["round"] > max(0, frame["round"].max() - 3)]
    table = late.groupby(["split", "strength"], as_index=False)[["attribute", "identity"]].mean()
    x = table["split"].map(start)
    table["diff"] = 100 * (x - table["identity"]) / (x - 50)
    table["chosen"] = False
    for _, rows in table[table["strength"] > 0].groupby("split"):
        within = rows[rows["diff"] <= budget]
        best = within["attribute"].idxmin() if len(within) else rows["diff"].idxmin()
        table.loc[best, "chosen"] = True
    return table

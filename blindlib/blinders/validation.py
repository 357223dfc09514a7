"""A fresh look at heads in training: probes that they have not met, on people whom they have not seen."""

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import TrainingSet, blind, fit_classifiers, spread
from blindlib.common.work import derive_seed

_PROBE_STEPS = 150
_IMAGES = 10  # of a person, at most


class Judge:
    """A fresh look at every head on its split's validation people, whom no head was trained on.

    The expression probe is new each time, trained on one half of the validation people and tested on the other, both
    ways; the verification figure is the best accuracy over thresholds on validation pairs. Both serve to choose
    settings and to draw curves, never as a result.

    Parameters
    ----------
    data : TrainingSet
    settings : int
        Heads per split.
    classes : int
        Expressions.
    each : int
        Images of each expression in a probe's batch.
    seed : int
    """

    def __init__(self, data: TrainingSet, settings: int, classes: int, each: int, seed: int):
        self.data, self.settings, self.classes, self.each, self.seed = data, settings, classes, each, seed
        rng = np.random.default_rng(derive_seed(seed, "judge"))
        halves = [self._halves(rows, rng) for rows in data.validation]
        self.samplers = [
            GroupSampler(
                [h[k] for h in halves], data.expression, cap=512, at_least=1, generator=rng, device=data.device
            )
            for k in (0, 1)
        ]
        self.tests = [[self._labelled(h[k]) for h in halves] for k in (1, 0)]
        self.pairs = [self._pairs(rows, rng) for rows in data.validation]

    def _halves(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two halves of the people, each with half of those who have an expression label."""
        people = rng.permutation(np.unique(self.data.identity[rows]))
        labelled = np.isin(people, self.data.identity[self._labelled(rows)])
        people = people[np.argsort(labelled, kind="stable")]
        first = np.isin(self.data.identity[rows], people[::2])
        return rows[first], rows[~first]

    def _labelled(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.data.expression[rows] >= 0]

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
        draws = [_different(identity, np.flatnonzero(part == p), n, rng) for p, n in zip(parts, wanted, strict=True)]
        left, right = np.concatenate([same, *draws], axis=1)
        return rows[left], rows[right], identity[left] == identity[right]

    def __call__(self, heads: ResidualHeads, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """Balanced accuracy of fresh expression probes and of verification, in percent: two arrays (H,)."""
        emotion = np.mean([self._probe(heads, k, turn) for k in (0, 1)], axis=0)
        return emotion, self._verify(heads)

    def _probe(self, heads: ResidualHeads, k: int, turn: int) -> np.ndarray:
        data, count = self.data, len(self.data.head) * self.settings
        cpu = torch.Generator().manual_seed(derive_seed(self.seed, "probe", turn, k))
        draws = torch.Generator(data.device).manual_seed(derive_seed(self.seed, "probe draws", turn, k))
        probe = Classifiers(count, data.x.shape[1], (64,), self.classes, cpu, self.settings).to(data.device)
        fit_classifiers(
            probe,
            lambda index: blind(heads, data.x, index),
            data.on_device(data.expression),
            lambda: spread(self.samplers[k].draw(None, self.each, draws), self.settings),
            steps=_PROBE_STEPS,
            rate=3e-3,
        )
        with torch.no_grad():
            guess = probe(blind(heads, data.x, self._padded(self.tests[k]))).argmax(-1).cpu().numpy()
        return np.array(
            [
                balanced_accuracy(data.expression[rows], guess[h, : len(rows)])
                for h, rows in enumerate(rows for rows in self.tests[k] for _ in range(self.settings))
            ]
        )

    def _padded(self, rows: list[np.ndarray]) -> torch.Tensor:
        """Rows of every split, repeated to one length, for each of its heads: (H, W)."""
        width = max(map(len, rows))
        return spread(self.data.on_device(np.stack([np.resize(r, width) for r in rows])), self.settings)

    def _verify(self, heads: ResidualHeads) -> np.ndarray:
        left, right = (self._padded([pairs[side] for pairs in self.pairs]) for side in (0, 1))
        distance = (blind(heads, self.data.x, left) - blind(heads, self.data.x, right)).norm(dim=-1).cpu().numpy()
        sames = [same for _, _, same in self.pairs for _ in range(self.settings)]
        return np.array([_best_accuracy(distance[h, : len(same)], same) for h, same in enumerate(sames)])


def _different(identity: np.ndarray, own: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs of two people among some rows: (2, wanted), or (2, 0) where there is only one person."""
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < wanted and (identity[own] != identity[own[0]]).any():
        pairs = rng.choice(own, (2, 2 * wanted))
        found = np.concatenate([found, pairs[:, identity[pairs[0]] != identity[pairs[1]]]], axis=1)
    return found[:, :wanted]


def balanced_accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall over the classes that occur in `truth`, in percent; chance is 100 / their number."""
    return float(100 * np.mean([(guess[truth == c] == c).mean() for c in np.unique(truth)]))


def _best_accuracy(distance: np.ndarray, same: np.ndarray) -> float:
    """Share of pairs, in percent, that the best threshold of all gets right."""
    hits = np.cumsum(np.where(same[np.argsort(distance, kind="stable")], 1, -1))
    return 100 * max(int(hits.max()), 0) / len(same) + 100 * float((~same).mean())


def record(
    data: TrainingSet,
    strengths: tuple[float, ...],
    turn: int,
    losses: dict[str, torch.Tensor],
    judge: Judge | None,
    heads: ResidualHeads,
) -> list[dict]:
    """One history row for each split and strength: the losses (H,) of this round and what the judge reads."""
    columns = {name: value.detach().cpu().numpy() for name, value in losses.items()}
    if judge is not None:
        columns["emotion"], columns["identity"] = judge(heads, turn)
    where = [(split, strength) for split in range(len(data.head)) for strength in strengths]
    return [
        {"split": split, "strength": strength, "round": turn, **{name: float(v[h]) for name, v in columns.items()}}
        for h, (split, strength) in enumerate(where)
    ]

"""What validation people tell of heads in training: fresh probes, verification, and the choice of λ."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.losses import cross_entropy
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import Training
from blindlib.common.work import derive_seed
from blindlib.metrics import balanced_accuracy

_PROBE_STEPS = 150
_FLAT = {"attribute": 1.0, "identity": 0.2}  # points: what is less than that is the noise of fresh probes
_IMAGES = 10  # of a person, at most


class ValidationProbes:
    """A fresh look at every head of a training on its split's validation people, whom no head was trained on.

    The probe of the attribute is new each time, trained on one half of the validation people and tested on the other,
    both ways; the verification figure is the best accuracy over thresholds on validation pairs. Both serve to choose
    settings and to draw curves, never as a result.
    """

    def __init__(self, training: Training, seed: int):
        self.training, self.data, self.seed = training, training.data, seed
        rng = np.random.default_rng(derive_seed(seed, "judge"))
        options = {"cap": 512, "at_least": 1, "generator": rng, "device": training.device}
        halves = list(zip(*(self._halves(rows, rng) for rows in self.data.validation), strict=True))
        self.samplers = [GroupSampler(half, self.data.attribute, **options) for half in halves]
        self.tests = [[self._labelled(rows) for rows in half] for half in reversed(halves)]
        self.pairs = [self._pairs(rows, rng) for rows in self.data.validation]

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

    def __call__(self, number: int) -> dict[str, np.ndarray]:
        """After a round, in percent, (H,) each: balanced accuracy of fresh probes, and of verification."""
        probes = [self._probe(half, number) for half in (0, 1)]
        return {"attribute": np.mean(probes, axis=0), "identity": self._verify()}

    def _probe(self, half: int, number: int) -> np.ndarray:
        """A new network, trained on what the heads give of one half, tested on the other: (H,)."""
        training, tests, sampler = self.training, self.tests[half], self.samplers[half]
        start = torch.Generator().manual_seed(derive_seed(self.seed, "probe", number, half))
        draws = torch.Generator(training.device).manual_seed(derive_seed(self.seed, "probe draws", number, half))
        trained = self._padded(self.tests[1 - half])  # the heads are applied once, not in every step
        place = torch.zeros(trained.shape[0], len(self.data.attribute), dtype=torch.int64, device=training.device)
        place.scatter_(1, trained, torch.arange(trained.shape[1], device=training.device).expand_as(trained))
        z = training.blind(trained)
        probe = training.classifiers((64,), len(self.data.classes), start)
        probe.standardise(z)
        optimiser = torch.optim.AdamW(probe.parameters(), lr=3e-3, weight_decay=1e-2, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _PROBE_STEPS)
        heads = torch.arange(len(z), device=training.device)[:, None]
        for _ in range(_PROBE_STEPS):
            index = training.by_head(sampler.draw(None, training.settings.per_class, draws))
            optimiser.zero_grad(set_to_none=True)
            answer = probe(z[heads, place.gather(1, index)])
            cross_entropy(answer, training.attribute[index]).sum().backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            guess = probe(training.blind(self._padded(tests))).argmax(-1)
        return self._scores(balanced_accuracy, [self.data.attribute[rows] for rows in tests], guess)

    def _verify(self) -> np.ndarray:
        left, right, same = zip(*self.pairs, strict=True)
        distance = (self.training.blind(self._padded(left)) - self.training.blind(self._padded(right))).norm(dim=-1)
        return self._scores(_best_accuracy, same, distance)

    def _padded(self, rows: list[np.ndarray]) -> torch.Tensor:
        """Rows of every split, repeated to one length, for each of its heads: (H, W)."""
        width = max(map(len, rows))
        return self.training.by_head(self.training.on_device(np.stack([np.resize(r, width) for r in rows])))

    def _scores(self, score: Callable, truths: list[np.ndarray], answers: torch.Tensor) -> np.ndarray:
        """The score of every head's answers (H, W), without the padding, by its split's truth: (H,)."""
        truths = [truth for truth in truths for _ in self.training.strengths]
        return np.array([score(t, a[: len(t)]) for t, a in zip(truths, answers.cpu().numpy(), strict=True)])


def _two_people(identity: np.ndarray, rows: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs of two people among some rows: (2, wanted), or (2, 0) where there is only one person."""
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < wanted and (identity[rows] != identity[rows[0]]).any():
        pairs = rng.choice(rows, (2, 2 * wanted))
        found = np.concatenate([found, pairs[:, identity[pairs[0]] != identity[pairs[1]]]], axis=1)
    return found[:, :wanted]


def _best_accuracy(same: np.ndarray, distance: np.ndarray) -> float:
    """Share of pairs, in percent, that the best threshold of all gets right."""
    hits = np.cumsum(np.where(same[np.argsort(distance, kind="stable")], 1, -1))
    return 100 * max(int(hits.max()), 0) / len(same) + 100 * float((~same).mean())


def settled(history: list[dict], patience: int) -> bool:
    """Whether training is done: the last `patience` looks at validation people tell what as many before them told.

    For every strength, what fresh probes read (mean over splits and looks) has moved by one point at most, and
    verification by 0.2. False while there are fewer than twice `patience` looks after the start.
    """
    frame = pd.DataFrame(history)
    looks = sorted(set(frame["round"]) - {0})
    if len(looks) < 2 * patience or "attribute" not in frame:
        return False
    late = frame[frame["round"].isin(looks[-patience:])]
    before = frame[frame["round"].isin(looks[-2 * patience : -patience])]
    moved = (late.groupby("strength")[list(_FLAT)].mean() - before.groupby("strength")[list(_FLAT)].mean()).abs()
    return bool((moved <= pd.Series(_FLAT)).all(axis=None))


def choose(history: list[dict], budget: float) -> pd.DataFrame:
    """Choose λ for every split by its validation people alone.

    Of the strengths above 0 whose verification Diff on validation pairs stays within the budget (percent), the one
    whose fresh probes read the attribute worst, averaged over the last three looks; if none stays within, the one that
    costs least. Returns a row a split and strength: `split`, `strength`, `attribute` and `identity` (percent, on
    validation people), `diff` (of identity, percent) and `chosen` (bool).
    """
    frame = pd.DataFrame(history)
    start = frame[frame["round"] == 0].groupby("split")["identity"].mean()
    late = frame[frame["round"].isin(sorted(set(frame["round"]) - {0})[-3:])]
    table = late.groupby(["split", "strength"], as_index=False)[["attribute", "identity"]].mean()
    x = table["split"].map(start)
    table["diff"] = 100 * (x - table["identity"]) / (x - 50)
    table["chosen"] = False
    for _, rows in table[table["strength"] > 0].groupby("split"):
        within = rows[rows["diff"] <= budget]
        best = within["attribute"].idxmin() if len(within) else rows["diff"].idxmin()
        table.loc[best, "chosen"] = True
    return table

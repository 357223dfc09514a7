"""What validation people tell of heads in training: fresh probes, verification, and the choice of λ."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.losses import cross_entropy
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import Training
from blindlib.common.work import derive_seed
from blindlib.metrics import balanced_accuracy

_PROBE_STEPS = 100
_PENALTIES = (1.0, 10.0)  # of ridge regressions; our choice
_IMAGES = 10  # of a person, at most


class ValidationProbes:
    """A fresh look at every head of a training on its split's validation people, whom no head was trained on.

    The probes of the attribute are new each time, trained on one half of the validation people and tested on the other,
    both ways: a network and ridge regressions, of which the best counts. The verification figure is the best accuracy
    over thresholds on validation pairs. Both serve to choose settings and to draw curves, never as a result.
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
        """After a round, in percent, (H,) each: what the best fresh probe reads, balanced, and verification."""
        halves = [self._probe(half, number) for half in (0, 1)]
        return {"attribute": np.mean(halves, axis=0).max(0), "identity": self._verify()}

    @torch.no_grad()
    def _probe(self, half: int, number: int) -> np.ndarray:
        """What a network and ridge regressions, trained on one half, read of the other: (kinds, H)."""
        tests = self.tests[half]
        rows = self._padded(self.tests[1 - half])  # the heads are applied once, not in every step
        z, shown = self.training.blind(rows), self.training.blind(self._padded(tests))
        with torch.enable_grad():
            network = self._network(z, rows, half, number)
        deviation, centre = torch.std_mean(z, 1, keepdim=True)
        z, unseen = ((part - centre) / deviation.clamp_min(1e-8) for part in (z, shown))
        member = torch.nn.functional.one_hot(self.training.attribute[rows], len(self.data.classes)).to(z.dtype)
        counts = torch.tensor([len(own) for own in self.tests[1 - half]], device=z.device)
        own = torch.arange(rows.shape[1], device=z.device) < self.training.by_head(counts)[:, None]  # not the padding
        answers = [network(shown), *_ridge(z, member * own[..., None], unseen)]
        truths = [self.data.attribute[rows] for rows in tests]
        return np.stack([self._scores(balanced_accuracy, truths, answer.argmax(-1)) for answer in answers])

    def _network(self, z: torch.Tensor, rows: torch.Tensor, half: int, number: int) -> Classifiers:
        """A new network for each head, trained on z (H, N, D), which it gives of the rows (H, N)."""
        training, sampler = self.training, self.samplers[half]
        start = torch.Generator().manual_seed(derive_seed(self.seed, "probe", number, half))
        draws = torch.Generator(training.device).manual_seed(derive_seed(self.seed, "probe draws", number, half))
        place = torch.zeros(len(rows), len(self.data.attribute), dtype=torch.int64, device=training.device)
        place.scatter_(1, rows, torch.arange(rows.shape[1], device=training.device).expand_as(rows))
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
        return probe

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


def _ridge(z: torch.Tensor, member: torch.Tensor, shown: torch.Tensor) -> list[torch.Tensor]:
    """What ridge regressions of class membership (H, N, C) on z (H, N, D) say of other rows (H, W, D): a list over
    penalties of (H, W, C). Rows without membership do not count, classes weigh alike. It is the linear reading that a
    network trained in few steps misses."""
    each = member.sum(1, keepdim=True)  # (H, 1, C)
    weight = (member / each.clamp_min(1)).sum(-1, keepdim=True)  # (H, N, 1): every class as heavy as another
    weight = weight * (member.sum((1, 2)) / (each > 0).sum((1, 2)))[:, None, None]
    member = weight.sqrt() * (member - (each > 0) / (each > 0).sum(-1, keepdim=True))
    z = weight.sqrt() * z
    kernel, seen = z @ z.transpose(1, 2) / z.shape[-1], shown @ z.transpose(1, 2) / z.shape[-1]
    eye = torch.eye(z.shape[1], device=z.device)
    factors = [torch.linalg.cholesky_ex(kernel + penalty * eye)[0] for penalty in _PENALTIES]  # NaN of a NaN head
    return [seen @ torch.cholesky_solve(member, factor) for factor in factors]


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


def choose(history: list[dict], budget: float) -> pd.DataFrame:
    """Choose λ for every split by its validation people alone.

    Of the strengths above 0 whose kept head's verification Diff on validation pairs is within the budget (percent), the
    one whose attribute fresh probes read worst; if none is within, the one that costs least. Returns a row a split and
    strength: `split`, `strength`, `attribute` and `identity` (percent, on validation people, of the kept head), `diff`
    (of identity, percent) and `chosen` (bool).
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

"""What both methods' training loops share: the resident data, the detector's training and the check on validation people."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from blindlib.heads import Classifiers, ResidualHeads
from blindlib.losses import cross_entropy
from blindlib.sampling import GroupSampler


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from (seed, stage, …): the same parts give the same seed on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def pick_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA where there is a GPU, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def encode(labels, classes: tuple[str, ...] | None = None) -> tuple[np.ndarray, list[str]]:
    """Integer codes of labels; −1 for a missing label or one outside `classes`.

    Parameters
    ----------
    labels : array-like of str or missing, (N,)
    classes : tuple of str, optional
        The vocabulary in order; by default the sorted labels that occur.

    Returns
    -------
    codes : int64 array (N,)
    classes : list of str
    """
    labels = [label if isinstance(label, str) else None for label in labels]
    classes = list(classes) if classes is not None else sorted({label for label in labels if label is not None})
    code = {label: n for n, label in enumerate(classes)}
    return np.array([code.get(label, -1) for label in labels], dtype=np.int64), classes


@dataclass(frozen=True)
class TrainingSet:
    """Everything that trains heads, resident on the device.

    Attributes
    ----------
    x : Tensor (N, D), float32
    identity, expression, demographic : int64 arrays (N,)
        Codes; −1 where a label is missing.
    head, validation : lists of int arrays
        For each split, the rows of the people that train its head and of those that judge it.
    """

    x: torch.Tensor
    identity: np.ndarray
    expression: np.ndarray
    demographic: np.ndarray
    head: list[np.ndarray]
    validation: list[np.ndarray]

    @property
    def device(self) -> torch.device:
        """Where x lies."""
        return self.x.device

    def on_device(self, codes: np.ndarray) -> torch.Tensor:
        """Codes as an int64 tensor beside x."""
        return torch.as_tensor(codes, device=self.device)

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean (S, D) and mean per-dimension deviation (S,) of each split's head-training embeddings."""
        parts = [self.x[self.on_device(rows)] for rows in self.head]
        return torch.stack([p.mean(0) for p in parts]), torch.stack([p.std(0).mean() for p in parts])


def spread(index: torch.Tensor, settings: int) -> torch.Tensor:
    """Give every setting of a split the same draw: (S, B) -> (S * settings, B), paired comparisons for free."""
    return index.repeat_interleave(settings, dim=0)


def fit_classifiers(
    classifiers: Classifiers, features, target: torch.Tensor, draw, *, steps: int, rate: float, decay: float = 1e-4
) -> None:
    """Train a bank of classifiers by cross-entropy (AdamW, cosine schedule), in place.

    Parameters
    ----------
    classifiers : Classifiers
    features : callable
        Index (H, B) -> features (H, B, D), without gradient.
    target : Tensor (N,), int64
        Class of every row.
    draw : callable
        () -> index (H, B).
    steps : int
    rate, decay : float
        Learning rate at the start and decoupled weight decay.
    """
    index = torch.cat([draw() for _ in range(4)], 1)
    classifiers.standardise(features(index))
    optimiser = torch.optim.AdamW(classifiers.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        index = draw()
        optimiser.zero_grad(set_to_none=True)
        cross_entropy(classifiers(features(index)), target[index]).sum().backward()
        optimiser.step()
        schedule.step()


def start_heads(data: TrainingSet, settings: int, hidden: int, generator: torch.Generator) -> ResidualHeads:
    """Heads at the identity map for every split and setting: H = S * settings, settings innermost."""
    centre, scale = data.statistics()
    heads = ResidualHeads(
        len(data.head) * settings,
        data.x.shape[1],
        hidden,
        centre.cpu().repeat_interleave(settings, 0),
        scale.cpu().repeat_interleave(settings, 0),
        generator,
    )
    return heads.to(data.device)


@torch.no_grad()
def blind(heads: ResidualHeads, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """φ of the rows index (H, B), each head its own: (H, B, D)."""
    return heads(x[index])


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
    seed : int
    steps : int
        Training steps of a probe.
    """

    def __init__(self, data: TrainingSet, settings: int, classes: int, seed: int, steps: int = 150):
        self.data, self.settings, self.classes, self.seed, self.steps = data, settings, classes, seed, steps
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
        people = rng.permutation(np.unique(self.data.identity[rows]))
        first = np.isin(self.data.identity[rows], people[: len(people) // 2])
        return rows[first], rows[~first]

    def _labelled(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.data.expression[rows] >= 0]

    def _pairs(self, rows: np.ndarray, rng: np.random.Generator, most: int = 1000) -> tuple[np.ndarray, ...]:
        identity = self.data.identity[rows]
        left, right = np.triu_indices(len(rows), 1)
        same = identity[left] == identity[right]
        kept = []
        for value in (True, False):
            where = np.flatnonzero(same == value)
            kept.append(rng.choice(where, min(most, len(where), int(same.sum())), replace=False))
        kept = np.concatenate(kept)
        return rows[left[kept]], rows[right[kept]], same[kept]

    def __call__(self, heads: ResidualHeads, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """Balanced accuracy of fresh expression probes and of verification, in percent: two arrays (H,)."""
        emotion = np.mean([self._probe(heads, k, turn) for k in (0, 1)], axis=0)
        return emotion, self._verify(heads)

    def _probe(self, heads: ResidualHeads, k: int, turn: int) -> np.ndarray:
        data, count = self.data, len(self.data.head) * self.settings
        cpu = torch.Generator().manual_seed(derive_seed(self.seed, "probe", turn, k))
        draws = torch.Generator(data.device).manual_seed(derive_seed(self.seed, "probe draws", turn, k))
        probe = Classifiers(count, data.x.shape[1], (64,), self.classes, cpu).to(data.device)
        fit_classifiers(
            probe,
            lambda index: blind(heads, data.x, index),
            data.on_device(data.expression),
            lambda: spread(self.samplers[k].draw(None, 32, draws), self.settings),
            steps=self.steps,
            rate=3e-3,
        )
        out = np.empty(count)
        for split, rows in enumerate(self.tests[k]):
            truth = data.expression[rows]
            index = data.on_device(rows).expand(count, -1)
            with torch.no_grad():
                guess = probe(blind(heads, data.x, index)).argmax(-1).cpu().numpy()
            for h in range(split * self.settings, (split + 1) * self.settings):
                out[h] = 100 * np.mean([(guess[h][truth == c] == c).mean() for c in np.unique(truth)])
        return out

    def _verify(self, heads: ResidualHeads) -> np.ndarray:
        out = np.empty(len(self.pairs) * self.settings)
        for split, (left, right, same) in enumerate(self.pairs):
            index = self.data.on_device(np.stack([left, right]).ravel()).expand(len(out), -1)
            a, b = blind(heads, self.data.x, index).chunk(2, dim=1)
            distance = (a - b).norm(dim=-1).cpu().numpy()
            for h in range(split * self.settings, (split + 1) * self.settings):
                order = np.argsort(distance[h], kind="stable")
                hits = np.cumsum(same[order]) - np.cumsum(~same[order]) + (~same).sum()
                out[h] = 100 * max(hits.max(), (~same).sum()) / len(same)
        return out


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

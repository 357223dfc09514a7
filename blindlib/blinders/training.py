"""Train a bank of heads: the training data, the heads, their batches and their adversaries.

A bank holds a head for every split and every λ, H = splits * strengths, λ innermost. All λ of a split see the same
batches, so that only λ makes them differ.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.detectors import Detectors, covariance
from blindlib.blinders.heads import Classifiers, ResidualHeads, narrow
from blindlib.blinders.sampling import GroupSampler
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed


def codes_within(splits: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Code the labels (N,) of each split's rows as 0, 1, …: (S, N) int64; 0 elsewhere and where a label is below 0."""
    codes = np.zeros((len(splits), len(labels)), dtype=np.int64)
    for split, rows in enumerate(splits):
        rows = rows[labels[rows] >= 0]
        codes[split, rows] = np.unique(labels[rows], return_inverse=True)[1]
    return codes


def pick_device(name: str = "auto") -> torch.device:
    """Return the device; `auto` is CUDA if there is a GPU, else the CPU. Raises InputError for an unknown device."""
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not torch.cuda.is_available()):
        raise InputError("device", f"is {name!r:.40}, which is not here", "use auto, cpu or cuda")
    best = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(best if name == "auto" else name)


def encode(labels, classes: tuple[str, ...] | None = None) -> tuple[np.ndarray, list[str]]:
    """Code labels (N,), strings or numbers, as int64 (N,); return the codes and the classes in order.

    The default classes are the sorted labels that occur. −1 stands for None, NaN, or a label outside the classes.
    """
    words = pd.Series(np.asarray(labels), dtype=object).map(str, na_action="ignore")
    classes = list(classes) if classes is not None else sorted(words.dropna().unique())
    known = words.where(words.isin(classes), None)
    return pd.Categorical(known, categories=classes).codes.astype(np.int64), classes


@dataclass(frozen=True)
class TrainingSet:
    """Hold the data that trains heads: N embeddings, and int64 codes (N,) of their labels, −1 where unknown."""

    x: torch.Tensor  # (N, D), float32, on the device
    identity: np.ndarray  # the subject
    attribute: np.ndarray  # the attribute to hide
    demographic: np.ndarray  # gender x ethnicity
    part: np.ndarray  # the data set of the image
    head: list[np.ndarray]  # for each split, the rows of the subjects that train its head
    validation: list[np.ndarray]  # and of its validation subjects
    classes: tuple[str, ...]  # of `attribute`

    @classmethod
    def of(cls, study, device: torch.device) -> "TrainingSet":
        """Collect a study's embeddings, its emotion labels as the attribute, and every split's subjects."""
        labels, hidden = study.faces.frame, study.preset.blinded
        return cls(
            x=torch.tensor(np.asarray(study.embedded[0].x), device=device),
            identity=encode(labels["identity"])[0],
            attribute=encode(labels["emotion"], hidden)[0],
            demographic=encode(labels["gender"] + " " + labels["ethnicity"])[0],
            part=encode(study.faces.part)[0],
            head=[split.head for split in study.splits],
            validation=[split.validation for split in study.splits],
            classes=hidden,
        )


_MEMORY = 0.99  # of the averaged heads, per step
_WARM = 100  # steps of warm-up: without them the first steps, against untrained adversaries, cost identity


class Training:
    """Train a bank: its heads, which start as the identity map, and their batches.

    `heads` take the steps. `average`, their running mean, is validated and kept: heads and adversaries oscillate, and
    the mean is near the centre of the oscillation.

    `strengths` are the λ still in training, the same for each split, and `strength` (H,) is λ of every head. The
    batches of faces are grouped by the labels of the task, `identity` or `demographic`. The seed determines all random
    draws.
    """

    def __init__(self, data: TrainingSet, settings, strengths: list[float], task: str, seed: tuple):
        self.data, self.settings, self.strengths, self.task = data, settings, strengths, task
        self.device = data.x.device
        self.labels = data.identity if task == "identity" else data.demographic  # (N,)
        self.generator = torch.Generator().manual_seed(derive_seed(*seed, "start"))  # of initial weights, on the CPU
        self._draws = torch.Generator(self.device).manual_seed(derive_seed(*seed, "draws"))
        self._tables = np.random.default_rng(derive_seed(*seed, "tables"))
        people = [data.x[self.on_device(rows)] for rows in data.head]
        centre = torch.stack([x.mean(0) for x in people]).cpu()  # (S, D)
        scale = torch.stack([x.std(0).mean().clamp_min(1e-12) for x in people]).cpu()  # (S,)
        length = torch.stack([x.norm(dim=-1).mean().clamp_min(1e-12) for x in people])
        self.length = self.by_head(length)[:, None, None]  # (H, 1, 1): the mean norm of x
        start = (self.by_head(centre), self.by_head(scale), self.generator)
        form = {"residual": settings.residual, "keep_norm": settings.keep_norm}
        self.heads = ResidualHeads(settings.hidden, *start, len(strengths), **form).to(self.device)
        self.average, self._steps = deepcopy(self.heads).requires_grad_(False), 0
        spread = torch.stack([covariance(x).float() for x in people])
        self._spread = self.by_head(spread / spread.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]).to(self.device)
        self._optimiser = torch.optim.SGD(self.heads.parameters(), settings.rate, momentum=0.9, fused=True)
        self.strength = torch.tensor(strengths, device=self.device).repeat(len(data.head))  # (H,)
        self.identity, self.attribute = self.on_device(data.identity), self.on_device(data.attribute)
        self._banks = [(self.heads, self._optimiser), (self.average, None)]  # networks and their optimisers
        self._detectors: Detectors | None = None

    def on_device(self, codes: np.ndarray) -> torch.Tensor:
        """Return codes or rows as an int64 tensor on the device of x."""
        return torch.as_tensor(codes, device=self.device)

    def by_head(self, values: torch.Tensor) -> torch.Tensor:
        """Repeat values of each split (S, …) for each of its heads: (H, …)."""
        return values.repeat_interleave(len(self.strengths), dim=0)

    def follow(self, bank: Classifiers, optimiser: torch.optim.Optimizer) -> None:
        """Register another bank of H networks that `narrow` narrows with the heads."""
        self._banks.append((bank, optimiser))

    def narrow(self, places: list[int]) -> None:
        """Continue with the λ at these positions; the heads of the others have stopped."""
        heads = np.arange(len(self.strength)).reshape(-1, len(self.strengths))[:, places]
        which = self.on_device(heads.ravel())
        for bank, optimiser in self._banks:
            narrow(bank, which, optimiser)
        if self._detectors is not None:
            self._detectors.narrow(which)
        self.length, self._spread, self.strength = self.length[which], self._spread[which], self.strength[which]
        self.strengths = [self.strengths[place] for place in places]

    @torch.no_grad()
    def blind(self, index: torch.Tensor) -> torch.Tensor:
        """Return φ of the rows index (H, B), by each averaged head: (H, B, D), without gradient."""
        return self.average(self.data.x[index])

    @torch.no_grad()
    def peaks(self) -> torch.Tensor:
        """Return the largest absolute value of φ over each head's training subjects (H,): the scale of its grid."""
        width = max(map(len, self.data.head))
        rows = self.on_device(np.stack([np.resize(rows, width) for rows in self.data.head]))
        return self.blind(self.by_head(rows)).abs().amax((1, 2))

    def update(self, loss: torch.Tensor) -> None:
        """Take one step of the heads to lower their losses (H,), by SGD in the metric of x.

        Adam takes steps of one size for every weight, and the few weights that matter are lost among the others. The
        gradient of U is multiplied by the covariance of x. Without it a head fools its adversaries by a small change
        along directions in which x hardly varies, and the leakage elsewhere stays.
        """
        self._optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.heads.up.grad = torch.bmm(self.heads.up.grad, self._spread)
        self._optimiser.param_groups[0]["lr"] = self.settings.rate * min(1.0, (self._steps + 1) / _WARM)
        self._optimiser.step()
        self._steps += 1
        new = 1 - min(_MEMORY, self._steps / (self._steps + 9))
        with torch.no_grad():
            for kept, moved in zip(self.average.parameters(), self.heads.parameters(), strict=True):
                kept.lerp_(moved, new)

    def new_tables(self) -> None:
        """Choose the images for this epoch's batches."""
        head, cap = self.data.head, 16 if self.task == "identity" else 512
        at_least = min(2, max(np.unique(self.labels[rows], return_counts=True)[1].max() for rows in head))
        options = {"generator": self._tables, "device": self.device}
        self._faces = GroupSampler(head, self.labels, cap=cap, at_least=at_least, **options)
        self._shown = GroupSampler(head, self.data.attribute, cap=512, at_least=1, **options)

    def draw_faces(self) -> torch.Tensor:
        """Draw rows of P subjects with K images each (or of P images of each demographic group): (H, B)."""
        people, images = self.settings.identities, self.settings.images
        groups, members = (people, images) if self.task == "identity" else (None, people)
        return self.by_head(self._faces.draw(groups, members, self._draws))

    def draw_classes(self, times: int = 1) -> torch.Tensor:
        """Draw rows with equally many images of every class of the attribute: (H, B)."""
        return self.by_head(self._shown.draw(None, times * self.settings.per_class, self._draws))

    def classifiers(self, widths: tuple[int, ...], classes: int, generator: torch.Generator | None = None):
        """Return new `Classifiers`, one a head, by default from the bank's own draws; a split's heads start alike."""
        shape = (len(self.strength), self.data.x.shape[1], widths, classes)
        return Classifiers(*shape, generator or self.generator, sharing=len(self.strengths)).to(self.device)

    def detectors(self) -> Detectors:
        """Return new adversaries, standardised by the present output of the heads."""
        network, shown = self.classifiers(self.settings.detector, len(self.data.classes)), self.draw_classes(16)
        with torch.no_grad():
            z = self.heads(self.data.x[shown])
        network.standardise(z)
        self._detectors = Detectors(network, self.settings)
        self._detectors.take(z, self.attribute[shown])
        return self._detectors

    def accuracy(self, answer: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """Return the accuracy (H,), in percent, of an adversary's logits (H, B, C) on the rows `shown` (H, B)."""
        return 100 * (answer.argmax(-1) == self.attribute[shown]).float().mean(-1)

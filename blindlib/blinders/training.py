"""The rounds that SensitiveNets and LNTL share: batches, the adversary's turn and the heads', a look at other people.

A bank of heads is trained at once: every split with every strength λ, H = splits * strengths, strengths innermost.
Every λ of a split sees the same batches, so that their differences are λ's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.losses import cross_entropy
from blindlib.blinders.sampling import GroupSampler
from blindlib.common.work import derive_seed, track


def pick_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA where there is a GPU, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def encode(labels, classes: tuple[str, ...] | None = None) -> tuple[np.ndarray, list[str]]:
    """Integer codes of labels; −1 for a missing label or one outside `classes`.

    Parameters
    ----------
    labels : array-like (N,)
        Strings or numbers; None or NaN is a missing label.
    classes : tuple of str, optional
        The vocabulary in order; by default the sorted labels that occur.

    Returns
    -------
    codes : int64 array (N,)
    classes : list of str
    """
    words = pd.Series(labels, dtype=object).map(str, na_action="ignore")
    classes = list(classes) if classes is not None else sorted(words.dropna().unique())
    return pd.Categorical(words, categories=classes).codes.astype(np.int64), classes


@dataclass(frozen=True)
class TrainingSet:
    """Everything that trains heads, resident on the device.

    Attributes
    ----------
    x : Tensor (N, D), float32
    identity, attribute, demographic : int64 arrays (N,)
        Codes of who it is, of what is to be hidden, and of gender x ethnicity; −1 where a label is missing.
    part : int64 array (N,)
        The data set of every image.
    head, validation : lists of int arrays
        For each split, the rows of the people that train its head and of those that it is judged by.
    classes : tuple of str
        What `attribute` codes.
    """

    x: torch.Tensor
    identity: np.ndarray
    attribute: np.ndarray
    demographic: np.ndarray
    part: np.ndarray
    head: list[np.ndarray]
    validation: list[np.ndarray]
    classes: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where x lies."""
        return self.x.device

    @classmethod
    def of(cls, study, device: torch.device) -> "TrainingSet":
        """A study's embeddings, and its emotion labels as the attribute, with every split's people."""
        faces, preset = study.faces, study.preset
        labels = faces.frame
        both = labels["gender"].notna() & labels["ethnicity"].notna()
        return cls(
            torch.tensor(np.asarray(study.embedded[0].x), device=device),
            encode(labels["identity"])[0],
            encode(labels["emotion"], preset.blinded)[0],
            encode((labels["gender"] + " " + labels["ethnicity"]).where(both))[0],
            encode(faces.part)[0],
            [split.head for split in study.splits],
            [split.validation for split in study.splits],
            preset.blinded,
        )

    def on_device(self, codes: np.ndarray) -> torch.Tensor:
        """Codes as an int64 tensor beside x."""
        return torch.as_tensor(codes, device=self.device)

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean (S, D) and mean per-dimension deviation (S,) of each split's head-training embeddings."""
        parts = [self.x[self.on_device(rows)] for rows in self.head]
        return torch.stack([p.mean(0) for p in parts]), torch.stack([p.std(0).mean().clamp_min(1e-12) for p in parts])


class Training:
    """One bank in training.

    Parameters
    ----------
    data : TrainingSet
    settings : SensitiveNetsSettings or LNTLSettings
    strengths : tuple of float
        λ of the heads of each split.
    task : str
        What the batches of faces are grouped by: `identity`, or `demographic`.
    seed : tuple
        What all draws are derived from.

    Attributes
    ----------
    heads : ResidualHeads
        H = splits * strengths.
    strength : Tensor (H,)
        λ of every head.
    """

    def __init__(self, data: TrainingSet, settings, strengths: tuple[float, ...], task: str, seed: tuple):
        self.data, self.settings, self.strengths, self.task = data, settings, strengths, task
        self.generator = torch.Generator().manual_seed(derive_seed(*seed, "start"))  # of initial weights, on the CPU
        self._draws = torch.Generator(data.device).manual_seed(derive_seed(*seed, "draws"))
        self._tables = np.random.default_rng(derive_seed(*seed, "tables"))
        self.heads = self._start_heads()
        self.strength = torch.tensor(strengths, device=data.device).repeat(len(data.head))  # (H,)
        self.identity, self.attribute = data.on_device(data.identity), data.on_device(data.attribute)

    def _start_heads(self) -> ResidualHeads:
        """Heads at the identity map."""
        data, count = self.data, len(self.strengths)
        centre, scale = (part.cpu().repeat_interleave(count, 0) for part in data.statistics())
        total = len(data.head) * count
        heads = ResidualHeads(
            total, data.x.shape[1], self.settings.hidden, centre, scale, self.generator, sharing=count
        )
        return heads.to(data.device)

    def classifiers(self, widths: tuple[int, ...], classes: int) -> Classifiers:
        """New classifiers, one a head; those of one split start alike."""
        new = Classifiers(
            len(self.strength), self.data.x.shape[1], widths, classes, self.generator, sharing=len(self.strengths)
        )
        return new.to(self.data.device)

    def new_tables(self) -> None:
        """Choose the images that this round's batches are drawn from."""
        data, by_identity = self.data, self.task == "identity"
        labels = data.identity if by_identity else data.demographic
        at_least = min(2, max(np.unique(labels[rows], return_counts=True)[1].max() for rows in data.head))
        options = {"generator": self._tables, "device": data.device}
        self._faces = GroupSampler(data.head, labels, cap=16 if by_identity else 512, at_least=at_least, **options)
        self._shown = GroupSampler(data.head, data.attribute, cap=512, at_least=1, **options)

    def draw_faces(self) -> torch.Tensor:
        """Rows of P people with K images each (or P images of each demographic group): (H, B)."""
        settings = self.settings
        if self.task == "identity":
            return self._spread(self._faces.draw(settings.identities, settings.images, self._draws))
        return self._spread(self._faces.draw(None, settings.identities, self._draws))

    def draw_classes(self, times: int = 1) -> torch.Tensor:
        """Rows with as many images of every class of the attribute: (H, B)."""
        return self._spread(self._shown.draw(None, times * self.settings.per_class, self._draws))

    def _spread(self, index: torch.Tensor) -> torch.Tensor:
        return index.repeat_interleave(len(self.strengths), dim=0)

    def accuracy(self, answer: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """Accuracy (H,), in percent, of an adversary's answer (H, B, C) to the rows `shown` (H, B)."""
        return 100 * (answer.argmax(-1) == self.attribute[shown]).float().mean(-1)

    @torch.no_grad()
    def blind(self, index: torch.Tensor) -> torch.Tensor:
        """φ of the rows index (H, B), each head its own: (H, B, D), without gradient."""
        return self.heads(self.data.x[index])


def fit_classifiers(
    classifiers: Classifiers,
    features: Callable[[torch.Tensor], torch.Tensor],
    target: torch.Tensor,
    draw: Callable[[], torch.Tensor],
    *,
    steps: int,
    rate: float = 3e-3,
) -> None:
    """Train a bank of classifiers by cross-entropy (AdamW, cosine schedule), in place.

    Parameters
    ----------
    features : callable
        Index (H, B) -> features (H, B, D), without gradient.
    target : Tensor (N,), int64
        Class of every row.
    draw : callable
        () -> index (H, B).
    """
    classifiers.standardise(features(torch.cat([draw() for _ in range(4)], 1)))
    optimiser = torch.optim.AdamW(classifiers.parameters(), lr=rate, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        index = draw()
        optimiser.zero_grad(set_to_none=True)
        cross_entropy(classifiers(features(index)), target[index]).sum().backward()
        optimiser.step()
        schedule.step()


def train(training: Training, method, *, title: str, validation: Callable | None) -> list[dict]:
    """Train a bank: in each round new batches, the method's new round, then its steps; in place.

    Parameters
    ----------
    method : object
        `new_round()`, called once a round, and `step()`, one step of the heads, which returns the losses (H,) by name.
    validation : ValidationProbes or None
        Looks at the heads before the first round and after each.

    Returns
    -------
    list of dict
        A row for each round, split and strength: losses, the adversary's accuracy (`detector`, percent), and what the
        validation people tell (`attribute`: what fresh probes read, `identity`: verification; both percent).
    """
    settings = training.settings
    history = _record(training, 0, {}, validation)
    for number in track(range(1, settings.rounds + 1), title, unit="round"):
        training.new_tables()
        method.new_round()
        for _ in range(settings.head_steps):
            losses = method.step()
        history += _record(training, number, losses, validation)
    return history


def _record(training: Training, number: int, losses: dict, validation: Callable | None) -> list[dict]:
    columns = {name: value.detach().cpu().numpy() for name, value in losses.items()}
    if validation is not None:
        columns["attribute"], columns["identity"] = validation(training.blind, number)
    where = [(split, strength) for split in range(len(training.data.head)) for strength in training.strengths]
    return [
        {"split": split, "strength": strength, "round": number, **{name: float(v[h]) for name, v in columns.items()}}
        for h, (split, strength) in enumerate(where)
    ]

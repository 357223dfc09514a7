"""Learning Not to Learn (arXiv 1812.10352): a head serves a task while a predictor of emotion is unlearnt.

f = φ is the head, g a classifier of the task y, h a predictor of the attribute b that is to be hidden. The authors take
the entropy step and the adversarial step in turn; we add their gradients in one step, the same to first order under
plain gradient descent (**decision**).
"""

import numpy as np
import torch

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.losses import cross_entropy, negative_entropy, reverse_gradient
from blindlib.blinders.training import Training, TrainingSet
from blindlib.settings import LNTLSettings


def objective(
    g: torch.nn.Module,
    faces: torch.Tensor,
    y: torch.Tensor,
    h: torch.nn.Module,
    shown: torch.Tensor,
    b: torch.Tensor,
    strength: torch.Tensor,
    share: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """min over f, g of CE(g(f(x)), y) + λ_e E[Σ_b P_h(b|f) log P_h(b|f)], and min over h, max over f of CE(h(f(x)), b).

    Parameters
    ----------
    g, h : Classifiers
        Of the task and of the attribute.
    faces : Tensor (H, B, D), y : Tensor (H, B), int64
        f(x) of the task's images, and their task label.
    shown : Tensor (H, B', D), b : Tensor (H, B'), int64
        f(x) of images of every class of the attribute, and their class.
    strength : Tensor (H,)
        λ, the scale of the reversal.
    share : float
        λ_e / λ.

    Returns
    -------
    served, game : Tensor (H,)
        The two losses; the reversal is inside the second.
    answer : Tensor (H, B', C)
        h's logits.
    terms : dict of Tensor (H,)

    Source: arXiv 1812.10352, eq. 4 to 6, and its public code. It does not show that the attribute is gone.
    """
    task = cross_entropy(g(faces), y)  # CE(g(f(x)), y)
    h.requires_grad_(False)  # the entropy moves f alone
    entropy = negative_entropy(h(shown))  # Σ_b P_h(b|f) log P_h(b|f): least where h is undecided
    h.requires_grad_(True)
    answer = h(reverse_gradient(shown, strength[:, None, None]))  # forward the same, backward times −λ
    game = cross_entropy(answer, b)  # h learns b, f unlearns it
    return task + share * strength * entropy, game, answer, {"task": task, "entropy": -entropy}


def step(training: Training, g: torch.nn.Module, h: torch.nn.Module, task: torch.Tensor, optimiser) -> dict:
    """One step of f, g and h together; returns the terms and h's accuracy, (H,) each. `task` (H, N) labels all rows."""
    x, heads, share = training.data.x, training.heads, training.settings.entropy_share
    people, shown = training.draw_faces(), training.draw_classes()  # (H, B) rows of the task, (H, B') of every class
    y, b = task.gather(1, people), training.attribute[shown]
    served, game, answer, terms = objective(g, heads(x[people]), y, h, heads(x[shown]), b, training.strength, share)
    optimiser.zero_grad(set_to_none=True)
    served.sum().backward(retain_graph=True)
    game.sum().backward()
    optimiser.step()
    return {**terms, "detector": training.accuracy(answer, shown)}


class _Rounds:
    """LNTL's part in `training.train`: g and h are kept from round to round and learn in the heads' own steps."""

    def __init__(self, training: Training):
        settings, data = training.settings, training.data
        self.training = training
        codes, groups = _task_codes(data, data.identity if training.task == "identity" else data.demographic)
        self.task = data.on_device(codes).repeat_interleave(len(training.strengths), 0)  # (H, N)
        self.g = training.classifiers((), groups)
        self.h = training.classifiers(settings.predictor, len(data.classes))
        predictors = [*self.g.parameters(), *self.h.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": training.heads.parameters(), "lr": settings.rate, "weight_decay": settings.decay},
                {"params": predictors, "lr": settings.predictor_rate, "weight_decay": 1e-4},
            ],
            fused=True,
        )
        self.scaled = False

    def new_round(self) -> None:
        if not self.scaled:
            start = self.training.data.x[self.training.draw_classes(4)]
            self.g.standardise(start)
            self.h.standardise(start)
            self.scaled = True

    def step(self) -> dict:
        return step(self.training, self.g, self.h, self.task, self.optimiser)


def _task_codes(data: TrainingSet, labels):
    """Per split, the labels of its head people as 0, 1, …: (S, N) int64 and the largest number of groups."""
    codes = np.zeros((len(data.head), len(labels)), dtype=np.int64)
    groups = 0
    for split, rows in enumerate(data.head):
        rows = rows[labels[rows] >= 0]
        names, codes[split, rows] = np.unique(labels[rows], return_inverse=True)
        groups = max(groups, len(names))
    return codes, groups


class LNTL(HeadBlinder):
    """φ_LNTL, as a scikit-learn transformer: `LNTL(strength=0.1).fit(X, y, identity=who).transform(X)`.

    Parameters
    ----------
    strength : float
        λ, the scale of the gradient's reversal; 0 trains by the task alone.
    task : str
        What g classifies: `identity`, or `demographic` (gender x ethnicity, with `fit(..., demographic=labels)`). The
        paper does not say which it used.
    settings : LNTLSettings, optional
        Everything else; its `strengths` are those of `fit_splits`.
    random_state : int
    device : str
        `auto`, `cpu` or `cuda`.

    Attributes
    ----------
    classes_ : tuple of str
        The classes of y that it hides.
    history_ : list of dict
        Of `training.train`.

    Source: Kim et al., arXiv 1812.10352. It does not show that nobody can read y from φ(x): ask fresh probes.
    """

    terms = ("task", "entropy")
    _settings = LNTLSettings

    def __init__(
        self,
        strength: float = 1.0,
        *,
        task: str = "identity",
        settings: LNTLSettings | None = None,
        random_state: int = 0,
        device: str = "auto",
    ):
        super().__init__(strength, settings=settings, random_state=random_state, device=device)
        self.task = task

    @property
    def name(self) -> str:
        """`LNTL`, or `LNTL demographic`."""
        return "LNTL" if self.task == "identity" else f"LNTL {self.task}"

    def _key(self) -> tuple[str, ...]:
        return ("lntl", self.task)

    def _rounds(self, training: Training) -> _Rounds:
        return _Rounds(training)

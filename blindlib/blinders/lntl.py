"""Learning Not to Learn (arXiv 1812.10352): a head serves a task while a predictor of emotion is unlearnt.

f = φ is the head, g a classifier of the task y, h a predictor of the attribute b that is to be hidden. The authors
take the entropy step and the adversarial step in turn; we add their gradients in one step (**decision**: under plain
gradient descent the two are the same to first order; the optimiser here is AdamW).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.losses import cross_entropy, negative_entropy, reverse_gradient
from blindlib.blinders.training import Training
from blindlib.settings import LNTLSettings


def objective(
    g: nn.Module, faces: Tensor, y: Tensor, h: nn.Module, shown: Tensor, b: Tensor, strength: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
    """min over f, g of CE(g(f(x)), y) + λ_e E[Σ_b P_h(b|f) log P_h(b|f)], and min over h, max over f of CE(h(f(x)), b).

    Parameters
    ----------
    g, h : Classifiers
        Of the task and of the attribute.
    faces : Tensor (H, B, D), y : Tensor (H, B), int64
        f(x) of the task's images, and their task label.
    shown : Tensor (H, B', D), b : Tensor (H, B'), int64
        f(x) of images of every class of the attribute, and their class.
    strength : Tensor (H,), share : float
        λ, the scale of the reversal, and λ_e / λ.

    Returns
    -------
    served, game : Tensor (H,), answer : Tensor (H, B', C), terms : dict of Tensor (H,)
        The two losses, the reversal inside the second; h's logits; the losses by name, to be drawn.

    Source: arXiv 1812.10352, eq. 4 to 6, and its public code. It does not show that the attribute is gone.
    """
    task = cross_entropy(g(faces), y)  # CE(g(f(x)), y)
    h.requires_grad_(False)  # the entropy moves f alone
    entropy = negative_entropy(h(shown))  # Σ_b P_h(b|f) log P_h(b|f): least where h is undecided
    h.requires_grad_(True)
    answer = h(reverse_gradient(shown, strength[:, None, None]))  # forward the same, backward times −λ
    game = cross_entropy(answer, b)  # h learns b, f unlearns it
    return task + share * strength * entropy, game, answer, {"task": task, "entropy": -entropy}


def step(training: Training, g: nn.Module, h: nn.Module, task: Tensor, optimiser: torch.optim.Optimizer) -> dict:
    """One step of f, g and h together; returns the terms and h's accuracy, (H,) each. `task` (H, N) labels all rows."""
    x, heads, share = training.data.x, training.heads, training.settings.entropy_share
    people, shown = training.draw_faces(), training.draw_classes()  # (H, B) rows of the task, (H, B') of every class
    y, b = task.gather(1, people), training.attribute[shown]
    served, game, answer, terms = objective(g, heads(x[people]), y, h, heads(x[shown]), b, training.strength, share)
    optimiser.zero_grad(set_to_none=True)
    served.sum().backward(retain_graph=True)  # f and g serve the task, f leaves h undecided
    game.sum().backward()  # h learns b, and by the reversal f unlearns it
    optimiser.step()
    return {**terms, "detector": training.accuracy(answer, shown)}


class LNTL(HeadBlinder):
    """φ_LNTL, as a scikit-learn transformer: `LNTL(strength=0.1).fit(X, y, identity=who).transform(X)`.

    Parameters
    ----------
    strength : float
        λ, the scale of the gradient's reversal; 0 trains by the task alone.
    task : str
        What g classifies: `identity`, or `demographic` (gender x ethnicity, with `fit(..., demographic=labels)`). The
        paper does not say which it used.

    For the rest, and for what `fit` leaves, see `HeadBlinder`.

    Source: Kim et al., arXiv 1812.10352. It does not show that nobody can read y from φ(x): ask fresh probes.
    """

    terms = ("task", "entropy")
    _settings = LNTLSettings

    def __init__(self, strength=1.0, *, task="identity", settings=None, random_state=0, device="auto"):
        super().__init__(strength, settings=settings, random_state=random_state, device=device)
        self.task = task

    @property
    def name(self) -> str:
        """`LNTL`, or `LNTL demographic`."""
        return "LNTL" if self.task == "identity" else f"LNTL {self.task}"

    @property
    def _key(self) -> tuple[str, ...]:
        return ("lntl", self.task)

    def _rounds(self, training: Training) -> Iterator[dict]:
        """g and h are kept from round to round and learn in the heads' own steps."""
        data, settings = training.data, training.settings
        codes = _task_codes(data.head, training.labels)
        task = training.by_head(training.on_device(codes))  # (H, N)
        g = training.classifiers((), int(codes.max()) + 1)
        h = training.classifiers(settings.predictor, len(data.classes))
        f_group = {"params": training.heads.parameters(), "lr": settings.rate, "weight_decay": settings.decay}
        gh_group = {"params": [*g.parameters(), *h.parameters()], "lr": settings.predictor_rate, "weight_decay": 1e-4}
        optimiser = torch.optim.AdamW([f_group, gh_group], fused=True)
        for number in range(settings.rounds):
            training.new_tables()
            if number == 0:
                start = data.x[training.draw_classes(4)]
                g.standardise(start)
                h.standardise(start)
            for _ in range(settings.head_steps):
                losses = step(training, g, h, task, optimiser)
            yield losses


def _task_codes(head: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Per split, the labels of its head people as 0, 1, …: (S, N) int64."""
    codes = np.zeros((len(head), len(labels)), dtype=np.int64)
    for split, rows in enumerate(head):
        rows = rows[labels[rows] >= 0]
        codes[split, rows] = np.unique(labels[rows], return_inverse=True)[1]
    return codes

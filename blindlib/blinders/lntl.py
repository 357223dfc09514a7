"""Learning Not to Learn (arXiv 1812.10352): train a head for a task, and against a predictor of emotion.

f = φ is the head, g a classifier of the task y, and h a predictor of the hidden attribute b: the same adversaries as in
SensitiveNets. The authors alternate the entropy step and the adversarial step. We add their gradients in one step,
before which h takes its own (**decision**: equal to first order under plain gradient descent).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from blindlib.blinders.detectors import Detectors, over_kinds
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.heads import Classifiers
from blindlib.blinders.losses import cross_entropy, negative_entropy
from blindlib.blinders.training import Training, codes_within
from blindlib.settings import LNTLSettings


def objective(
    task: Tensor, y: Tensor, answers: list[Tensor], b: Tensor, strength: Tensor, share: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the objective of f and g: CE(g(f(x)), y) + λ_e E[Σ_b P_h(b|f) log P_h(b|f)] − λ CE(h(f(x)), b).

    The last term is the gradient reversal: h takes its own steps to minimise the same cross-entropy.

    Parameters
    ----------
    task : Tensor (H, B, classes), y : Tensor (H, B), int64
        Logits of g for f(x) of the task's images, and their task labels.
    answers : list of Tensor (H, B', C), b : Tensor (H, B'), int64
        Logits of every h for f(x) of images of all classes of the attribute, and their classes.
    strength : Tensor (H,), share : float
        λ, the weight of the reversal, and λ_e / λ.

    Returns
    -------
    objective : Tensor (H,), terms : dict of Tensor (H,)

    Source: arXiv 1812.10352, eq. 4 to 6, and its public code. Where h fails, other probes may still succeed.
    """
    served = cross_entropy(task, y)  # CE(g(f(x)), y)
    entropy = over_kinds([negative_entropy(h) for h in answers])  # lowest where h is undecided
    game = over_kinds([cross_entropy(h, b) for h in answers])  # h minimises it, f maximises it
    return served + strength * (share * entropy - game), {"task": served, "entropy": -entropy}


def step(training: Training, g: Classifiers, h: Detectors, task: Tensor, optimiser: torch.optim.Optimizer) -> dict:
    """Take one step of h, then one of f and g. `task` (H, N) labels all rows, `optimiser` is g's.

    Returns the loss terms and the accuracy of h's network, (H,) each.
    """
    x, heads = training.data.x, training.heads
    people, shown = training.draw_faces(), training.draw_classes()  # (H, B) rows for g, (H, B') of all classes for h
    y, b = task.gather(1, people), training.attribute[shown]
    faces, hidden = heads(x[people]), heads(x[shown])
    h.learn(hidden.detach(), b)
    answers = h(hidden)
    loss, terms = objective(g(faces), y, answers, b, training.strength, training.settings.entropy_share)
    optimiser.zero_grad(set_to_none=True)
    training.update(loss)
    optimiser.step()
    return {**terms, "detector": training.accuracy(answers[0], shown)}


class LNTL(HeadBlinder):
    """Learn φ_LNTL as a scikit-learn transformer: `LNTL(strength=0.1).fit(X, y, identity=subject).transform(X)`.

    Parameters
    ----------
    strength : float
        λ, the weight of the gradient reversal; at 0 the head is trained for the task alone.
    task : str
        The labels that g predicts: `identity`, or `demographic` (gender x ethnicity, an argument of `fit`). The paper
        does not name its task.

    `HeadBlinder` describes the other parameters and the attributes after `fit`.

    Source: Kim et al., arXiv 1812.10352. Training does not show that y is hidden: to measure it, train probes.
    """

    terms = ("task", "entropy")
    _settings = LNTLSettings

    def __init__(self, strength=0.1, *, task="identity", bits=6, settings=None, random_state=0, device="auto"):
        super().__init__(strength, bits=bits, settings=settings, random_state=random_state, device=device)
        self.task = task

    @property
    def name(self) -> str:
        """Return `LNTL`, or `LNTL demographic`."""
        return "LNTL" if self.task == "identity" else f"LNTL {self.task}"

    @property
    def _key(self) -> tuple[str, ...]:
        return ("lntl", self.task)

    def _rounds(self, training: Training) -> Iterator[dict]:
        """Train g and h in every step of the heads, and keep both from epoch to epoch."""
        data, settings = training.data, training.settings
        codes = codes_within(data.head, training.labels)
        g = training.classifiers((), int(codes.max()) + 1)
        optimiser = torch.optim.AdamW(g.parameters(), lr=settings.detector_rate, weight_decay=1e-4, fused=True)
        training.follow(g, optimiser)
        for number in range(settings.rounds):
            training.new_tables()
            if number == 0:
                h = training.detectors()
                g.standardise(data.x[training.draw_classes(4)])
            task = training.by_head(training.on_device(codes))  # (H, N)
            for _ in range(settings.head_steps):
                losses = step(training, g, h, task, optimiser)
            yield losses

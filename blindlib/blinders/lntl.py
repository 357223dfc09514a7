"""Learning Not to Learn (arXiv 1812.10352): a head serves a task while a predictor of emotion is unlearnt.

f = φ is the head, g a classifier of the task y, h a predictor of the attribute b that is to be hidden: the detectors
that SensitiveNets has too. The authors take the entropy step and the adversarial step in turn; we add their gradients
in one step, and h takes a step of its own before (**decision**: under plain gradient descent the same to first order).
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
    """What f and g minimise: CE(g(f(x)), y) + λ_e E[Σ_b P_h(b|f) log P_h(b|f)] − λ CE(h(f(x)), b).

    The last term is the gradient reversal: h takes its own steps down the same cross-entropy.

    Parameters
    ----------
    task : Tensor (H, B, classes), y : Tensor (H, B), int64
        g's logits for f(x) of the task's images, and their task label.
    answers : list of Tensor (H, B', C), b : Tensor (H, B'), int64
        The logits of every h for f(x) of images of every class of the attribute, and their class.
    strength : Tensor (H,), share : float
        λ, the scale of the reversal, and λ_e / λ.

    Returns
    -------
    objective : Tensor (H,), terms : dict of Tensor (H,)

    Source: arXiv 1812.10352, eq. 4 to 6, and its public code. It does not show that the attribute is gone.
    """
    served = cross_entropy(task, y)  # CE(g(f(x)), y)
    entropy = over_kinds([negative_entropy(h) for h in answers])  # least where h is undecided
    game = over_kinds([cross_entropy(h, b) for h in answers])  # h learns b, f unlearns it
    return served + strength * (share * entropy - game), {"task": served, "entropy": -entropy}


def step(training: Training, g: Classifiers, h: Detectors, task: Tensor, optimiser: torch.optim.Optimizer) -> dict:
    """One step of h, then one of f and g. `task` (H, N) labels all rows, `optimiser` is g's.

    Returns the terms and the accuracy of h's network, (H,) each.
    """
    x, heads = training.data.x, training.heads
    people, shown = training.draw_faces(), training.draw_classes()  # (H, B) rows of the task, (H, B') of every class
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

    def __init__(self, strength=0.1, *, task="identity", bits=6, settings=None, random_state=0, device="auto"):
        super().__init__(strength, bits=bits, settings=settings, random_state=random_state, device=device)
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

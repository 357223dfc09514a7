"""A head that pulls every picture to the mean of its person: no adversary, no label of what is to be hidden.

Its nearest relatives are centre loss (Wen et al. 2016), which pulls to a learnt centre of each class, and, for linear
maps, within-class covariance normalisation (Hatch et al. 2006) and nuisance attribute projection (`affine.NAP`).
"""

from collections.abc import Iterator

import numpy as np
import torch

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.losses import triplet
from blindlib.blinders.training import Training
from blindlib.settings import PullSettings


class Pull(HeadBlinder):
    """A residual head that keeps people apart and is drawn to each person's mean of x.

    It minimises triplet(φ_A, φ_P, φ_N) + λ · ‖φ(x) − mean x of the person‖², the former in units of x's mean norm, the
    latter of the mean deviation of its dimensions. A person's pictures have to differ in what is to be hidden, and need
    no label of it. For the rest see `HeadBlinder`. It does not show that nobody can read y from φ(x): ask fresh probes.

    Parameters
    ----------
    strength : float
        λ.
    settings : PullSettings, optional
    """

    name = "pull"
    terms = ("triplet", "spread")
    _settings, _key = PullSettings, ("pull",)

    def __init__(self, strength=0.03, *, settings=None, random_state=0, device="auto"):
        super().__init__(strength, settings=settings, random_state=random_state, device=device)

    def _rounds(self, training: Training) -> Iterator[dict]:
        settings, x = training.settings, training.data.x
        centres = training.by_head(torch.stack([self._centres(training, rows) for rows in training.data.head]))
        for _ in range(settings.rounds):
            training.new_tables()
            for _ in range(settings.head_steps):
                people = training.draw_faces()
                identity = training.identity[people]
                faces = training.heads(x[people])
                wanted = centres.gather(1, identity[..., None].expand(-1, -1, x.shape[1]))
                keep = triplet(faces / training.length, identity, settings.margin)
                spread = ((faces - wanted) / training.heads.scale).square().sum(-1).mean(-1)
                training.update(keep + training.strength * spread)
            yield {"triplet": keep, "spread": spread}

    @staticmethod
    def _centres(training: Training, rows: np.ndarray) -> torch.Tensor:
        """The mean of x of every person among the rows: (people, D), by code."""
        rows, x = training.on_device(rows), training.data.x
        who = training.identity[rows]
        sums = x.new_zeros(int(training.identity.max()) + 1, x.shape[1]).index_add_(0, who, x[rows])
        return sums / torch.bincount(who, minlength=len(sums)).clamp_min(1)[:, None]

"""A head that pulls every picture to the mean of its person: no adversary, and no label of emotion in its loss.

Its nearest relatives are centre loss (Wen et al. 2016), which pulls to a learnt centre of each class, and, for linear
maps, within-class covariance normalisation (Hatch et al. 2006) and nuisance attribute projection (`affine.NAP`).
"""

from collections.abc import Iterator

import torch

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.losses import triplet
from blindlib.blinders.training import Training, codes_within
from blindlib.settings import PullSettings


class Pull(HeadBlinder):
    """A residual head that keeps people apart and is drawn to each person's mean of x.

    It minimises triplet(φ_A, φ_P, φ_N) + λ · ‖φ(x) − mean x of the person‖², the former in units of x's mean norm, the
    latter of the mean deviation of its dimensions. A person's pictures have to differ in what is to be hidden; its
    labels serve only to choose the round and λ, on validation people. Without identity every picture is its own mean,
    and nothing is hidden. For the rest see `HeadBlinder`. It does not show that nobody reads y: ask fresh probes.

    Parameters
    ----------
    strength : float
        λ.
    settings : PullSettings, optional
    """

    name = "pull"
    terms = ("triplet", "spread")
    _settings, _key = PullSettings, ("pull",)

    def __init__(self, strength=0.03, *, bits=6, settings=None, random_state=0, device="auto"):
        super().__init__(strength, bits=bits, settings=settings, random_state=random_state, device=device)

    def _rounds(self, training: Training) -> Iterator[dict]:
        settings, data, x = training.settings, training.data, training.data.x
        codes = codes_within(data.head, data.identity)
        centres = torch.zeros(len(codes), codes.max() + 1, x.shape[1], device=x.device)
        for split, rows in enumerate(data.head):
            who = training.on_device(codes[split, rows])
            sums = centres[split].index_add(0, who, x[training.on_device(rows)])
            centres[split] = sums / torch.bincount(who, minlength=len(sums)).clamp_min(1)[:, None]
        code, split = training.on_device(codes), torch.arange(len(codes), device=x.device)[:, None]
        for _ in range(settings.rounds):
            training.new_tables()
            of_head = training.by_head(split)
            for _ in range(settings.head_steps):
                people = training.draw_faces()
                faces, wanted = training.heads(x[people]), centres[of_head, code[of_head, people]]
                keep = triplet(faces / training.length, training.identity[people], settings.margin)
                spread = ((faces - wanted) / training.heads.scale).square().sum(-1).mean(-1)
                training.update(keep + training.strength * spread)
            yield {"triplet": keep, "spread": spread}

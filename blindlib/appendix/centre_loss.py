"""Centre loss: draw every image to the mean of its subject, without an adversary and without emotion labels.

The head minimises

    triplet(φ_A, φ_P, φ_N) + λ · ‖φ(x) − c‖²,  c = mean of x over the subject's images.

Where all subjects show the same mixture of expressions, so do their means, and the expression is the part that goes.

Source: centre loss, Wen et al., ECCV 2016. Ours differs (**decision**): the centres are fixed means of x and not learnt
with the features, there is one for each subject that trains the head, and the triplet takes the place of the softmax.
For linear maps, within-class covariance normalisation (Hatch et al. 2006) and NAP are its relatives.
"""

from collections.abc import Iterator

import torch

from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.losses import triplet
from blindlib.blinders.training import Training, codes_within
from blindlib.settings import CentreLossSettings


class CentreLoss(HeadBlinder):
    """Train a residual head that keeps subjects apart and draws each image to its subject's mean of x.

    The triplet is in units of x's mean norm, the distance to the centre in units of the mean deviation of its
    dimensions. Labels of the attribute only select the checkpoint and λ, on validation subjects. Without identity every
    image is its own centre, and nothing is hidden. For the rest see `HeadBlinder`. It does not show that no probe
    predicts y: train fresh probes.

    Parameters
    ----------
    strength : float
        λ.
    settings : CentreLossSettings, optional
    """

    name = "centre loss"
    terms = ("triplet", "spread")
    _settings, _key = CentreLossSettings, ("centre loss",)

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
                rows = training.draw_faces()
                faces, wanted = training.heads(x[rows]), centres[of_head, code[of_head, rows]]
                keep = triplet(faces / training.length, training.identity[rows], settings.margin)
                spread = ((faces - wanted) / training.heads.scale).square().sum(-1).mean(-1)
                training.update(keep + training.strength * spread)
            yield {"triplet": keep, "spread": spread}

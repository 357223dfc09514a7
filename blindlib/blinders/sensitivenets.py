"""SensitiveNets (arXiv 1902.00334): a head keeps people apart while a detector of emotion is led to one fixed answer.

Detector and head are trained in turn. The detector is new in every round, so it is never one that the head has already
fooled (**decision**; the poster does not say).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.losses import sensitivity, triplet
from blindlib.blinders.training import Training
from blindlib.settings import SensitiveNetsSettings


def objective(
    faces: Tensor, identity: Tensor, answer: Tensor, target: int, strength: Tensor, margin: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """What a head minimises: triplet(φ_A, φ_P, φ_N) + λ · log(1 + |0.9 − P(target | φ(x); w_det)|).

    Parameters
    ----------
    faces : Tensor (H, B, D), identity : Tensor (H, B), int64
        φ of several people's images, and who they show.
    answer : Tensor (H, B', C)
        The frozen detector's logits for φ of images of every class.
    target : int
        The one class that the penalty asks for.
    strength : Tensor (H,), margin : float
        λ, and α of the triplet.

    Returns
    -------
    objective : Tensor (H,), terms : dict of Tensor (H,)

    Source: arXiv 1902.00334, its sensitivity term. It does not show that the attribute is gone: the penalty speaks of
    the detector that gave the answer; fresh probes decide.
    """
    keep = triplet(faces, identity, margin)  # max(0, ‖φ_A − φ_P‖² − ‖φ_A − φ_N‖² + α)
    probability = answer.softmax(-1)[..., target]  # P(target | φ(x); w_det)
    hide = sensitivity(probability)  # Δ = log(1 + |0.9 − P|)
    return keep + strength * hide, {"triplet": keep, "penalty": hide}


def step(training: Training, detector: nn.Module, optimiser: torch.optim.Optimizer, target: int) -> dict:
    """One step of the heads against the frozen detector; returns the terms and the detector's accuracy, (H,) each."""
    x, heads = training.data.x, training.heads
    people = training.draw_faces()  # (H, P * K) rows: P people with K images each
    shown = training.draw_classes()  # (H, C * K') rows: as many of every class
    faces = heads(x[people])
    answer = detector(heads(x[shown]))
    settings = training.settings
    loss, terms = objective(faces, training.identity[people], answer, target, training.strength, settings.margin)
    optimiser.zero_grad(set_to_none=True)
    loss.sum().backward()
    optimiser.step()
    return {**terms, "detector": training.accuracy(answer, shown)}


class SensitiveNets(HeadBlinder):
    """φ_SN, as a scikit-learn transformer: `SensitiveNets(strength=1.0).fit(X, y, identity=who).transform(X)`.

    Parameters
    ----------
    strength : float
        λ, the weight of the penalty; 0 trains by the triplets alone.
    settings : SensitiveNetsSettings, optional
        Its `target` is the class that the detector is led to answer for every face; where it is None, the most frequent
        one. For the rest, and for what `fit` leaves, see `HeadBlinder`.

    Source: Morales et al., arXiv 1902.00334. It does not show that nobody can read y from φ(x): ask fresh probes.
    """

    name = "SN"
    terms = ("triplet", "penalty")
    _settings, _key = SensitiveNetsSettings, ("sn",)

    def _rounds(self, training: Training) -> Iterator[dict]:
        """In each round a new detector on the current φ, then steps of the heads against it."""
        settings, parameters = training.settings, training.heads.parameters()
        target = _target(settings.target, training.data.classes, training.data.attribute)
        optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.decay, fused=True)
        for _ in range(settings.rounds):
            training.new_tables()
            detector = training.fit_detector(settings.detector, settings.detector_steps, training.draw_classes)
            for _ in range(settings.head_steps):
                losses = step(training, detector, optimiser, target)
            yield losses


def _target(wanted: str | None, classes: tuple[str, ...], attribute: np.ndarray) -> int:
    """The code of the class that the penalty asks for: the most frequent one where none is wanted."""
    if wanted is None:
        return int(np.bincount(attribute[attribute >= 0]).argmax())
    if wanted not in classes:
        raise ValueError(f"the penalty's class {wanted!r} is not among the classes {classes}")
    return classes.index(wanted)

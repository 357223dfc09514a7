"""SensitiveNets (arXiv 1902.00334): separate subjects, and lead an adversary to one fixed answer for every face.

Adversary and head learn in the same steps, so that the adversary stays strong. With a new adversary in every epoch,
frozen while the head learns (`anew`, an ablation), the head fools each of them within a few steps. It moves along a
direction that other probes do not use, and the penalty then has no effect.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from blindlib.blinders.detectors import Detectors, over_kinds
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.losses import sensitivity, triplet
from blindlib.blinders.training import Training
from blindlib.settings import SensitiveNetsSettings


def objective(
    faces: Tensor, identity: Tensor, answers: list[Tensor], target: int, strength: Tensor, margin: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the objective of a head: triplet(φ_A, φ_P, φ_N) + λ · log(1 + |0.9 − P(target | φ(x); w_det)|).

    Parameters
    ----------
    faces : Tensor (H, B, D), identity : Tensor (H, B), int64
        φ of several images of several subjects, and the subject of each.
    answers : list of Tensor (H, B', C)
        Logits of each adversary for φ of images of all classes; `over_kinds` averages their penalties.
    target : int
        The class whose probability the penalty draws to 0.9 on every face.
    strength : Tensor (H,), margin : float
        λ, and α of the triplet loss.

    Returns
    -------
    objective : Tensor (H,), terms : dict of Tensor (H,)

    Source: arXiv 1902.00334, its sensitivity term. Where the adversaries fail, other probes may still succeed.
    """
    keep = triplet(faces, identity, margin)  # max(0, ‖φ_A − φ_P‖² − ‖φ_A − φ_N‖² + α)
    probabilities = [answer.softmax(-1)[..., target] for answer in answers]  # P(target | φ(x); w_det)
    hide = over_kinds([sensitivity(p) for p in probabilities])  # Δ = log(1 + |0.9 − P|)
    return keep + strength * hide, {"triplet": keep, "penalty": hide}


def step(training: Training, detectors: Detectors, target: int) -> dict:
    """Take one step of the adversaries, unless they are frozen, and one step of the heads against them.

    Returns the loss terms and the accuracy of the adversary's network, (H,) each.
    """
    x, heads, settings = training.data.x, training.heads, training.settings
    people = training.draw_faces()  # (H, P * K) rows: P subjects with K images each
    shown = training.draw_classes()  # (H, C * K') rows: K' images of every class
    faces, hidden = heads(x[people]), heads(x[shown])
    if not settings.anew:
        detectors.learn(hidden.detach(), training.attribute[shown])
    answers = detectors(hidden)
    faces = faces / training.length  # mean norm 1: the margin does not depend on the scale of x
    loss, terms = objective(faces, training.identity[people], answers, target, training.strength, settings.margin)
    training.update(loss)
    return {**terms, "detector": training.accuracy(answers[0], shown)}


class SensitiveNets(HeadBlinder):
    """Learn φ_SN as a scikit-learn transformer: `SensitiveNets().fit(X, y, identity=subject).transform(X)`.

    Parameters
    ----------
    strength : float
        λ, the weight of the penalty; at 0 the head is trained by the triplet loss alone.
    settings : SensitiveNetsSettings, optional
        Its `target` is the class that the adversary is led to predict for every face; None is the most frequent class.
        `HeadBlinder` describes the other parameters and the attributes after `fit`.

    Source: Morales et al., arXiv 1902.00334. Training does not show that y is hidden: to measure it, train probes.
    """

    name = "SN"
    terms = ("triplet", "penalty")
    _settings, _key = SensitiveNetsSettings, ("sn",)

    def _rounds(self, training: Training) -> Iterator[dict]:
        """Train adversaries and heads together; with `anew`, new adversaries in each epoch and then the heads."""
        settings = training.settings
        target = _target(settings.target, training.data.classes, training.data.attribute)
        for number in range(settings.rounds):
            training.new_tables()
            if number == 0 or settings.anew:
                detectors = training.detectors()
            for _ in range(settings.anew):
                shown = training.draw_classes()
                with torch.no_grad():
                    hidden = training.heads(training.data.x[shown])
                detectors.learn(hidden, training.attribute[shown])
            for _ in range(settings.head_steps):
                losses = step(training, detectors, target)
            yield losses


def _target(wanted: str | None, classes: tuple[str, ...], attribute: np.ndarray) -> int:
    """Return the code of the penalty's class, by default the most frequent one."""
    if wanted is None:
        return int(np.bincount(attribute[attribute >= 0]).argmax())
    if wanted not in classes:
        raise ValueError(f"the penalty's class {wanted!r} is not among the classes {classes}")
    return classes.index(wanted)

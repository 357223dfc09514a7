"""SensitiveNets (arXiv 1902.00334): a head keeps people apart while a detector of emotion is led to one fixed answer.

Detector and head learn in the same steps, so that the detector is always strong. With detectors that begin anew in
every round and are frozen while the head learns (`anew`, an ablation) the head needs a few steps to lead each of them
astray, by a direction that fresh probes do not care for; from then on the penalty teaches nothing.
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
    """What a head minimises: triplet(φ_A, φ_P, φ_N) + λ · log(1 + |0.9 − P(target | φ(x); w_det)|).

    Parameters
    ----------
    faces : Tensor (H, B, D), identity : Tensor (H, B), int64
        φ of several people's images, and who they show.
    answers : list of Tensor (H, B', C)
        Each detector's logits for φ of images of every class; the penalty is their mean, by `over_kinds`.
    target : int
        The one class that the penalty asks for.
    strength : Tensor (H,), margin : float
        λ, and α of the triplet.

    Returns
    -------
    objective : Tensor (H,), terms : dict of Tensor (H,)

    Source: arXiv 1902.00334, its sensitivity term. It does not show that the attribute is gone: the penalty speaks of
    the detectors that gave the answers; fresh probes decide.
    """
    keep = triplet(faces, identity, margin)  # max(0, ‖φ_A − φ_P‖² − ‖φ_A − φ_N‖² + α)
    probabilities = [answer.softmax(-1)[..., target] for answer in answers]  # P(target | φ(x); w_det)
    hide = over_kinds([sensitivity(p) for p in probabilities])  # Δ = log(1 + |0.9 − P|)
    return keep + strength * hide, {"triplet": keep, "penalty": hide}


def step(training: Training, detectors: Detectors, target: int) -> dict:
    """One step of the detectors, unless they are frozen, and one of the heads against them.

    Returns the terms and the detector network's accuracy, (H,) each.
    """
    x, heads, settings = training.data.x, training.heads, training.settings
    people = training.draw_faces()  # (H, P * K) rows: P people with K images each
    shown = training.draw_classes()  # (H, C * K') rows: as many of every class
    faces, hidden = heads(x[people]), heads(x[shown])
    if not settings.anew:
        detectors.learn(hidden.detach(), training.attribute[shown])
    answers = detectors(hidden)
    faces = faces / training.length  # so that the margin is as wide for x of any norm
    loss, terms = objective(faces, training.identity[people], answers, target, training.strength, settings.margin)
    training.update(loss)
    return {**terms, "detector": training.accuracy(answers[0], shown)}


class SensitiveNets(HeadBlinder):
    """φ_SN, as a scikit-learn transformer: `SensitiveNets().fit(X, y, identity=who).transform(X)`.

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
        """Steps of detectors and heads together; or (`anew`) in each round of new detectors, and of heads after."""
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
    """The code of the class that the penalty asks for: the most frequent one where none is wanted."""
    if wanted is None:
        return int(np.bincount(attribute[attribute >= 0]).argmax())
    if wanted not in classes:
        raise ValueError(f"the penalty's class {wanted!r} is not among the classes {classes}")
    return classes.index(wanted)

"""SensitiveNets (arXiv 1902.00334): a head keeps identity while an expression detector is taught one answer for all.

Objective of a head: triplet(φ_A, φ_P, φ_N) + λ · log(1 + |0.9 − P(target | φ(x))|). Detector and head are trained in
turn; the detector is new in every round, so it is never one that the head has already fooled (**decision**).
"""

import numpy as np
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.losses import sensitivity, triplet
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import TrainingSet, blind, fit_classifiers, spread, start_heads
from blindlib.blinders.validation import Judge, record
from blindlib.common.work import derive_seed, track
from blindlib.settings import SensitiveNetsConfig


def fit_sensitivenets(
    data: TrainingSet, config: SensitiveNetsConfig, classes: tuple[str, ...], *, seed: int, judge: bool = True
) -> tuple[ResidualHeads, list[dict]]:
    """Train a bank of SensitiveNets heads: every split with every strength λ, all at once.

    Parameters
    ----------
    data : TrainingSet
        S splits.
    config : SensitiveNetsConfig
        L strengths.
    classes : tuple of str
        The expressions that `data.expression` codes; `config.target` is one of them.
    seed : int
    judge : bool
        Look at every round with fresh probes on the validation people.

    Returns
    -------
    heads : ResidualHeads
        H = S * L, settings innermost.
    history : list of dict
        A row for each round, split and strength: losses, the detector's accuracy (percent), and the judge's
        `emotion` and `identity` on validation people.

    Source: arXiv 1902.00334, its sensitivity term and adversarial training. It does not show that expression is gone:
    the penalty speaks of one detector; fresh probes decide.
    """
    settings, device = len(config.strengths), data.device
    cpu = torch.Generator().manual_seed(derive_seed(seed, "sn", "start"))
    draws = torch.Generator(device).manual_seed(derive_seed(seed, "sn", "draws"))
    rng = np.random.default_rng(derive_seed(seed, "sn", "tables"))
    heads = start_heads(data, settings, config.hidden, cpu)
    optimiser = torch.optim.AdamW(heads.parameters(), lr=config.rate, weight_decay=config.decay, fused=True)
    strength = torch.tensor(config.strengths, device=device).repeat(len(data.head))  # (H,)
    look = Judge(data, settings, len(classes), config.expressions, derive_seed(seed, "sn", "judge")) if judge else None
    expression, identity = data.on_device(data.expression), data.on_device(data.identity)
    history = record(data, config.strengths, 0, {}, look, heads)

    for turn in track(range(1, config.rounds + 1), "SensitiveNets", unit="round"):
        faces = GroupSampler(data.head, data.identity, cap=16, at_least=2, generator=rng, device=device)
        moods = GroupSampler(data.head, data.expression, cap=512, at_least=1, generator=rng, device=device)
        detector = Classifiers(len(strength), data.x.shape[1], config.detector, len(classes), cpu, settings).to(device)
        fit_classifiers(
            detector,
            lambda index: blind(heads, data.x, index),
            expression,
            lambda moods=moods: spread(moods.draw(None, config.expressions, draws), settings),
            steps=config.detector_steps,
            rate=3e-3,
        )
        detector.requires_grad_(False)
        for _ in range(config.head_steps):
            index = spread(faces.draw(config.identities, config.images, draws), settings)  # (H, P * K)
            shown = spread(moods.draw(None, config.expressions, draws), settings)  # (H, C * K')
            recognise = triplet(heads(data.x[index]), identity[index], config.margin)
            answer = detector(heads(data.x[shown]))  # (H, C * K', C)
            hide = sensitivity(answer.softmax(-1)[..., classes.index(config.target)])
            optimiser.zero_grad(set_to_none=True)
            (recognise + strength * hide).sum().backward()
            optimiser.step()
        accuracy = 100 * (answer.argmax(-1) == expression[shown]).float().mean(-1)
        losses = {"triplet": recognise, "penalty": hide, "detector": accuracy}
        history += record(data, config.strengths, turn, losses, look, heads)
    return heads, history

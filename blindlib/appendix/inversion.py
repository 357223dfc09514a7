"""Attack a representation by inverting it: learn φ(x) -> x, then predict emotion from the reconstructed x.

The attacker needs pairs of x and φ(x), but no emotion labels to learn the inverse from all subjects but the tested. On
the whitened view of φ least squares fit a linear inverse, and a network of two hidden layers learns what it leaves. The
RBF SVM of the main path then predicts emotion from the reconstruction.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from blindlib.blinders.heads import Classifiers
from blindlib.blinders.representation import Representation
from blindlib.common.work import derive_seed, spread
from blindlib.data.splits import Split
from blindlib.evaluate.probes import FITTERS, Task, labelled_splits, score, whitened
from blindlib.settings import ProbeSettings

HIDDEN = (256, 256)  # our choice, as are the next
_STEPS, _BATCH, _RATE = 1000, 256, 2e-3


def invert(
    representation: Representation,
    x: np.ndarray,
    task: Task,
    splits: list[Split],
    identity: np.ndarray,
    *,
    steps: int = _STEPS,
) -> list[dict]:
    """Reconstruct x (N, D) from a representation and predict the task from the reconstruction, in every split.

    Returns
    -------
    list of dict
        Rows as `probes.run_probes` gives them, of the probe `inversion`, with `r2`: the share of the variance of the
        test subjects' x that the reconstruction explains, at most 1.
    """
    representation.serves(len(splits))
    labelled = labelled_splits(splits, task, identity)

    def work(number: int) -> dict:
        split, whole = labelled[number], splits[number]
        known = np.unique(np.concatenate([whole.head, whole.validation, whole.probe]))
        inverse = _fit(representation.rows(number, known), x[known], split.seed, steps)
        parts = [inverse(representation.rows(number, rows)) for rows in (split.probe, split.validation, split.test)]
        truth, guess = x[split.test], FITTERS["SVM"](*parts, task, split, ProbeSettings())[1]
        r2 = 1 - np.square(truth - parts[2]).sum() / np.square(truth - x[known].mean(0)).sum()
        row = {"task": task.name, "probe": "inversion", "protocol": "B"} | score(task, split, guess, identity)
        return row | {"r2": float(r2)}

    return spread(work, range(len(splits)))


def _fit(z: np.ndarray, x: np.ndarray, seed: int, steps: int) -> Callable[[np.ndarray], np.ndarray]:
    """Learn the inverse from z (N, D) and x (N, D): a map of (M, D) to (M, D)."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "inversion"))
    see, centre = whitened(z), x.mean(0)
    linear = np.linalg.lstsq(see(z), x - centre, rcond=None)[0]
    left = x - centre - see(z) @ linear
    scale = np.maximum(left.std(0), 1e-8)
    shown, target = torch.tensor(see(z)), torch.tensor(left / scale)
    model = Classifiers(1, z.shape[1], HIDDEN, x.shape[1], generator)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01, fused=True)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad(set_to_none=True)
        rows = torch.randint(len(z), (_BATCH,), generator=generator)
        torch.nn.functional.mse_loss(model(shown[None, rows])[0], target[rows]).backward()
        optimiser.step()

    @torch.no_grad()
    def inverse(z: np.ndarray) -> np.ndarray:
        seen = see(z)
        return centre + seen @ linear + scale * model(torch.tensor(seen)[None])[0].numpy()

    return inverse

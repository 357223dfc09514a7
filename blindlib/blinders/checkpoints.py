"""Which state of every head is kept, and when training ends: early stopping by validation people."""

from copy import deepcopy

import numpy as np
import torch

from blindlib.blinders.heads import ResidualHeads

_GAIN = 1.0  # points: what fresh probes read less than that is their noise


class Checkpoints:
    """Of every head the state that hid most, among those whose verification stayed within the budget.

    Heads and detectors circle round each other for ever, and LNTL's heads go on losing identity once they know their
    people by heart: the last state is not the best one. A head that has not stayed within the budget since training
    began keeps its last.

    Parameters
    ----------
    heads : ResidualHeads
        H = splits * strengths heads before training.
    told : dict of arrays (H,)
        What validation people tell of them (`ValidationProbes`).
    strengths : list of float
        λ of the heads of each split. Without a penalty (λ = 0) the last state is kept, whatever is read of it.
    budget : float
        Percent of verification's way from chance to x that a kept state may cost.
    """

    def __init__(self, heads: ResidualHeads, told: dict[str, np.ndarray], strengths: list[float], budget: float):
        self.heads = deepcopy(heads)
        self.floor = told["identity"] - budget / 100 * (told["identity"] - 50)  # (H,)
        self.lowest = told["attribute"].copy()  # (H,): what was read of the kept state
        self.round = np.zeros(len(self.lowest), int)  # (H,): the round that it is of
        self._within = np.zeros(len(self.lowest), bool)
        self._last = np.resize(np.array(strengths) == 0, len(self.lowest))
        self._strengths, self._levels = len(strengths), []
        self._note()

    def look(self, number: int, heads: ResidualHeads, told: dict[str, np.ndarray]) -> None:
        """Take the heads' state after a round where it is the best so far."""
        within = told["identity"] >= self.floor
        first = within & ~self._within & (self.round > 0)  # what stood in until now was not within
        better = within & ~self._last & ((told["attribute"] < self.lowest) | first)
        take = better | ~(within | self._within) | self._last
        chosen = torch.as_tensor(take, device=heads.up.device)[:, None, None]
        for kept, new in zip(self.heads.parameters(), heads.parameters(), strict=True):
            kept.copy_(torch.where(chosen, new, kept))
        self.round[take] = number
        self.lowest[better] = told["attribute"][better]
        self._within |= within
        self._note()

    def settled(self, patience: int) -> bool:
        """Whether the last `patience` looks brought no strength a state that hides a point more (mean over splits)."""
        if len(self._levels) <= patience:
            return False
        return bool((self._levels[-1 - patience] - self._levels[-1] <= _GAIN).all())

    def _note(self) -> None:
        self._levels.append(self.lowest.reshape(-1, self._strengths).mean(0))

"""Which state of every head is kept, and when its training ends: early stopping by validation people."""

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
    judged : dict of arrays (H,)
        What validation people tell of them (`ValidationProbes`).
    strengths : list of float
        λ of the heads of each split. Without a penalty (λ = 0) the last state is kept, whatever is read of it.
    budget : float
        Percent of verification's way from chance to x that a kept state may cost.
    """

    def __init__(self, heads: ResidualHeads, judged: dict[str, np.ndarray], strengths: list[float], budget: float):
        self.heads = deepcopy(heads)
        self.floor = judged["identity"] - budget / 100 * (judged["identity"] - 50)  # (H,)
        self.lowest = judged["attribute"].copy()  # (H,): what was read of the kept state
        self.round = np.zeros(len(self.lowest), int)  # (H,): the round that it is of
        self._within = np.zeros(len(self.lowest), bool)
        self._last = np.resize(np.array(strengths) == 0, len(self.lowest))
        self._splits = len(self.lowest) // len(strengths)
        self._heads = np.arange(len(self.lowest)).reshape(-1, len(strengths))  # (splits, strengths) still trained
        self._levels = []
        self._note()

    def look(self, number: int, heads: ResidualHeads, judged: dict[str, np.ndarray]) -> None:
        """Take the state after a round of those heads that are still trained, where it is the best so far."""
        of = self._heads.ravel()
        within = judged["identity"] >= self.floor[of]
        first = within & ~self._within[of] & (self.round[of] > 0)  # what stood in until now was not within
        better = within & ~self._last[of] & ((judged["attribute"] < self.lowest[of]) | first)
        take = better | ~(within | self._within[of]) | self._last[of]
        for kept, new in zip(self.heads.parameters(), heads.parameters(), strict=True):
            kept[torch.as_tensor(of[take])] = new[torch.as_tensor(take)]
        self.round[of[take]] = number
        self.lowest[of[better]] = judged["attribute"][better]
        self._within[of] |= within
        self._note()

    def going(self, patience: int) -> list[int]:
        """The places, among the strengths still trained, of those that have not settled; only they go on from here.

        A strength has settled when the last `patience` looks brought no state that hides a point more (mean over
        splits).
        """
        if len(self._levels) <= patience:
            return list(range(self._heads.shape[1]))
        gains = (self._levels[-1 - patience] - self._levels[-1])[self._heads[0]]
        going = [place for place, gain in enumerate(gains) if not gain <= _GAIN]
        self._heads = self._heads[:, going]
        return going

    def _note(self) -> None:
        self._levels.append(self.lowest.reshape(self._splits, -1).mean(0))

"""Early stopping on validation subjects: which checkpoint of every head is kept, and when its training ends."""

from copy import deepcopy

import numpy as np
import torch

from blindlib.blinders.heads import ResidualHeads

_GAIN = 1.0  # points of probe accuracy: smaller differences are the validation probes' noise


class Checkpoints:
    """Keep, for every head, the checkpoint that hides most among those within the identity tolerance.

    Heads and adversaries go on moving after they have converged, and a long training costs identity: the last state is
    not the best one. Among checkpoints that hide equally well, within a point, the one that verifies best is kept. A
    head without any checkpoint within the tolerance keeps its last state, and has not converged.

    Parameters
    ----------
    heads : ResidualHeads
        H = splits * strengths heads before training.
    validated : dict of arrays (H,)
        What `ValidationProbes` measure of them, in percent.
    strengths : list of float
        λ of the heads of each split. Without a penalty (λ = 0) the last state is kept, and training goes on until the
        other strengths end: a control is trained as long as what it is compared with.
    tolerance : float
        The largest Diff of validation verification, in percent, that a checkpoint may cost.
    """

    def __init__(self, heads: ResidualHeads, validated: dict, strengths: list[float], tolerance: float):
        self.heads = deepcopy(heads)
        identity, count = validated["identity"], len(validated["identity"])
        self._floor = identity - tolerance / 100 * (identity - 50)  # (H,)
        self._lowest, self._identity = validated["attribute"].copy(), np.zeros(count)  # (H,): of the kept checkpoint
        self.round = np.zeros(count, int)  # (H,): the round of the kept checkpoint
        self._within = np.zeros(count, bool)
        self._control = np.resize(np.array(strengths) == 0, count)
        self._heads = np.arange(count).reshape(-1, len(strengths))  # (splits, strengths) that still train
        self._means: list[np.ndarray] = []
        self._note()

    def look(self, number: int, heads: ResidualHeads, validated: dict[str, np.ndarray]) -> None:
        """Take the state after a round of those heads that still train, where it is the best so far."""
        of = self._heads.ravel()
        within = validated["identity"] >= self._floor[of]
        gain = self._lowest[of] - validated["attribute"]
        verifies_better = (gain > -_GAIN) & (validated["identity"] > self._identity[of])
        better = within & ((gain > _GAIN) | verifies_better | ~self._within[of]) & ~self._control[of]
        take = better | ~(within | self._within[of]) | self._control[of]
        for kept, new in zip(self.heads.parameters(), heads.parameters(), strict=True):
            kept[torch.as_tensor(of[take])] = new[torch.as_tensor(take)]
        self.round[of[take]] = number
        self._lowest[of[better]] = np.minimum(self._lowest[of], validated["attribute"])[better]
        self._identity[of[better]] = validated["identity"][better]
        self._within[of] |= within & ~self._control[of]
        self._note()

    def going(self, patience: int) -> list[int]:
        """Return the places of the strengths that go on; only they train from here on.

        A strength stops when the last `patience` validation steps brought no checkpoint that hides a point more (mean
        over splits). λ = 0 stops when no other goes on.
        """
        if len(self._means) <= patience:
            return list(range(self._heads.shape[1]))
        gains = (self._means[-1 - patience] - self._means[-1])[self._heads[0]]
        control = self._control[self._heads[0]]
        going = ~(gains <= _GAIN) & ~control
        going |= control & (going.any() or control.all())
        self._heads = self._heads[:, going]
        return np.flatnonzero(going).tolist()

    @property
    def converged(self) -> bool:
        """Whether every strength stopped early and has, in every split, a checkpoint within the tolerance."""
        return not self._heads.size and bool((self._within | self._control).all())

    def _note(self) -> None:
        splits = len(self._heads)
        self._means.append(self._lowest.reshape(splits, -1).mean(0))

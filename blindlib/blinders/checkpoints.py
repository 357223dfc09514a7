"""Stop training early on validation subjects, and keep the best checkpoint of every head."""

from copy import deepcopy

import numpy as np
import torch

from blindlib.blinders.heads import ResidualHeads

_GAIN = 1.0  # points of probe accuracy: smaller differences are the validation probes' noise


class Checkpoints:
    """Keep, for every head, the checkpoint that hides the attribute best within the identity tolerance.

    The last state is not the best one: heads still move after they have converged, and long training costs identity. Of
    two checkpoints that hide equally well, within a point, the one with the better verification is kept. A head without
    a checkpoint within the tolerance keeps its last state and has not converged.

    Parameters
    ----------
    heads : ResidualHeads
        H = splits * strengths heads before training.
    validated : dict of arrays (H,)
        Their validation results by `ValidationProbes`, in percent.
    strengths : list of float
        λ of the heads of each split. The control, λ = 0, keeps its last state and trains until all other λ have
        stopped, so that it trains as long as they do.
    tolerance : float
        The largest loss of validation verification (Diff, in percent) that a checkpoint may have.
    """

    def __init__(self, heads: ResidualHeads, validated: dict, strengths: list[float], tolerance: float):
        self.heads = deepcopy(heads)
        identity, count = validated["identity"], len(validated["identity"])
        self._floor = identity - tolerance / 100 * (identity - 50)  # (H,)
        self._lowest, self._identity = validated["attribute"].copy(), np.zeros(count)  # (H,): of the kept checkpoint
        self.round = np.zeros(count, int)  # (H,): the epoch of the kept checkpoint
        self._within = np.zeros(count, bool)
        self._control = np.resize(np.array(strengths) == 0, count)
        self._heads = np.arange(count).reshape(-1, len(strengths))  # (splits, strengths) that still train
        self._means: list[np.ndarray] = []
        self._note()

    def look(self, number: int, heads: ResidualHeads, validated: dict[str, np.ndarray]) -> None:
        """Keep the state of the heads in training after epoch `number` where it is the best so far."""
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
        """Return the positions of the λ that continue; only these train from here on.

        A λ stops when the last `patience` validation steps found no checkpoint that hides a point more (mean over
        splits). λ = 0 stops when all others have stopped.
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
        """Return whether every λ stopped early and has a checkpoint within the tolerance in every split."""
        return not self._heads.size and bool((self._within | self._control).all())

    def _note(self) -> None:
        splits = len(self._heads)
        self._means.append(self._lowest.reshape(splits, -1).mean(0))

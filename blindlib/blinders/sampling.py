"""Draw batches as index tensors: P groups x K members, for many splits at once."""

import numpy as np
import torch


class GroupSampler:
    """Draw rows by group: P identities x K images, or all emotions x K images.

    Parameters
    ----------
    rows : list of int arrays
        For each split, the rows to draw from.
    labels : int array (N,)
        The group of every row; −1 for rows without one.
    cap : int
        The largest number of rows of a group, chosen at random by `generator`, so that a few subjects with hundreds of
        images do not set the table's width.
    at_least : int
        The smallest number of rows of a group; smaller groups are not drawn.

    Raises
    ------
    ValueError
        If a split has no group of at least that size.
    """

    def __init__(self, rows, labels, *, cap, at_least, generator, device):
        tables = [self._table(row, labels, cap, at_least, generator) for row in rows]
        if any(not table for table in tables):
            raise ValueError(f"a split has no group with {at_least} or more images: use more images or fewer rotations")
        groups, width = max(map(len, tables)), max(len(members) for table in tables for members in table)
        index = np.full((len(tables), groups, width), -1)
        for s, table in enumerate(tables):
            for g, members in enumerate(table):
                index[s, g, : len(members)] = members
        self.index = torch.as_tensor(index, device=device)  # (S, G, W), −1 where empty
        self.count = (self.index >= 0).sum(-1)  # (S, G)
        self.fewest = min(map(len, tables))

    @staticmethod
    def _table(rows, labels, cap, at_least, generator) -> list[np.ndarray]:
        rows = generator.permutation(rows[labels[rows] >= 0])
        rows = rows[np.argsort(labels[rows], kind="stable")]
        _, starts = np.unique(labels[rows], return_index=True)
        return [group[:cap] for group in np.split(rows, starts[1:]) if len(group) >= at_least]

    def draw(self, groups: int | None, members: int, generator: torch.Generator) -> torch.Tensor:
        """Draw rows (S, P * K), int64, by a generator on the sampler's device.

        P groups are drawn without replacement, at most as many as the split with the fewest has; None draws that many.
        Of each group K members are drawn; they repeat only if the group has fewer than K.
        """
        splits, all_groups, width = self.index.shape
        device = self.index.device
        score = torch.rand(splits, all_groups, generator=generator, device=device).masked_fill(self.count == 0, -1)
        wanted = self.fewest if groups is None else min(groups, self.fewest)
        chosen = score.topk(wanted, dim=1).indices  # (S, P)
        table = self.index.gather(1, chosen[..., None].expand(-1, -1, width))  # (S, P, W)
        count = self.count.gather(1, chosen)[..., None].clamp_min(1)  # (S, P, 1)
        order = torch.rand(table.shape, generator=generator, device=device).masked_fill(table < 0, 2).argsort(-1)
        place = torch.arange(members, device=device) % count  # (S, P, K): repeats the members of a small group
        return table.gather(-1, order.gather(-1, place)).flatten(1)

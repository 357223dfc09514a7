"""Define the losses as pure functions of tensors with a leading axis H of independent heads."""

import torch

TARGET_PROBABILITY = 0.9  # source: SensitiveNets, arXiv 1902.00334, the 0.9 of its sensitivity term


def triplet(embedding: torch.Tensor, identity: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the triplet loss with the hardest negative of the batch for every anchor and positive.

    For an embedding (H, B, D) and its identity (H, B), int64, it is the mean over anchor-positive pairs (H,) of
    max(0, ‖A−P‖² − ‖A−N‖² + α), with the margin α in squared distance. It is 0 where a batch has no such pair.

    Source: SensitiveNets, arXiv 1902.00334; negatives are mined in the batch as by Hermans et al. 2017.
    """
    squared = embedding.square().sum(-1)  # (H, B)
    product = torch.bmm(embedding, embedding.transpose(1, 2))  # (H, B, B)
    distance = (squared[:, :, None] + squared[:, None, :] - 2 * product).clamp_min(0)
    same = identity[:, :, None] == identity[:, None, :]
    hardest = distance.masked_fill(same, torch.inf).amin(-1, keepdim=True)  # (H, B, 1)
    own = torch.eye(embedding.shape[1], dtype=torch.bool, device=embedding.device)
    pairs = same & ~own & hardest.isfinite()
    hinge = (distance - hardest.nan_to_num(posinf=0) + margin).clamp_min(0) * pairs
    return hinge.sum((1, 2)) / pairs.sum((1, 2)).clamp_min(1)


def sensitivity(probability: torch.Tensor) -> torch.Tensor:
    """Return SensitiveNets' penalty Δ = log(1 + |0.9 − P|), mean over the batch: P (H, B) -> (H,).

    P is the adversary's probability of one fixed class. The penalty asks for P = 0.9 on every face, whatever its true
    class. It concerns this adversary alone, and it does not ask for chance.

    Source: SensitiveNets, arXiv 1902.00334.
    """
    return torch.log1p((TARGET_PROBABILITY - probability).abs()).mean(-1)


def negative_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean over the batch of Σ_b P(b) log P(b), in nats: logits (H, B, C) -> (H,).

    It is smallest (−log C) where the prediction is uniform. It is finite for finite logits; the authors' code, which
    takes the logarithm of a softmax, can return NaN.

    Source: Learning Not to Learn, arXiv 1812.10352, eq. 4.
    """
    log_p = torch.log_softmax(logits, -1)
    return (log_p.exp() * log_p).sum(-1).mean(-1)


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of each head, in nats: logits (H, B, C), target (H, B) int64 -> (H,)."""
    log_p = torch.log_softmax(logits, -1)
    return -log_p.gather(-1, target[..., None])[..., 0].mean(-1)

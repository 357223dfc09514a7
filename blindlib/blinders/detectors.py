"""Define the adversaries of heads in training: a network and class means, trained from the first step to the last."""

import torch
from sklearn.covariance import ledoit_wolf

from blindlib.blinders.heads import Classifiers, narrow
from blindlib.blinders.losses import cross_entropy
from blindlib.settings import HeadSettings

# Of the class means, per step: at 16 images of a class a step they average some 1,000 images. With 0.9, linear leakage
# fell half as fast on validation subjects.
_MEMORY = 0.97
_MEASURE_EVERY = 10  # steps between updates of the metric; with 200, training took eight times the steps
_SMOOTHING = 0.1  # of the network's labels: an adversary without doubt has no gradient
_DECAY = 0.1


def over_kinds(terms: list[torch.Tensor]) -> torch.Tensor:
    """Average a term over the adversaries; the class means have weight 2, our choice on validation subjects."""
    return terms[0] if len(terms) == 1 else (terms[0] + 2 * terms[1]) / 3


def covariance(rows: torch.Tensor) -> torch.Tensor:
    """Return the covariance of rows (N, D), shrunk as by Ledoit & Wolf 2004: (D, D), float64, on the CPU."""
    return torch.as_tensor(ledoit_wolf(rows.cpu().double().numpy())[0])


def shrunk(spread: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Shrink covariances (H, D, D) of `count` rows (H,) towards a multiple of the identity.

    Source: oracle approximating shrinkage, Chen et al. 2010, eq. 23.
    """
    dim, diagonal = spread.shape[-1], spread.diagonal(dim1=1, dim2=2)
    level, squares = diagonal.mean(1), spread.square().sum((1, 2))  # (H,)
    above = (count + 1 - 2 / dim) * (squares - dim * level.square())
    share = (((1 - 2 / dim) * squares + (dim * level).square()) / above.clamp_min(1e-30)).clamp(0, 1)
    spread = spread * (1 - share)[:, None, None]
    spread.diagonal(dim1=1, dim2=2).add_((share * level)[:, None])
    return spread


class Detectors:
    """Predict the attribute from φ(x), for each of H heads, with a network and with the mean of every class.

    The network detects nonlinear leakage but overfits its training subjects. A head that evades only the network may
    move the class means to new directions instead of together. The means push along the line that joins them
    (**decision**; appendix A3 shows each adversary alone).

    Parameters
    ----------
    network : Classifiers
        The network, after `standardise`.
    settings : HeadSettings
        `detector_rate` is AdamW's learning rate; `means` and `network` enable the adversaries (one alone: ablation).
    """

    def __init__(self, network: Classifiers, settings: HeadSettings):
        assert settings.means or settings.network, "one kind of adversary or both"
        self.network, self.means, self._trains = network, settings.means, settings.network
        rate = settings.detector_rate
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=_DECAY, fused=True)
        count, classes, dim = len(network.centre), network.biases[-1].shape[-1], network.centre.shape[-1]
        self._sums = network.centre.new_zeros(count, classes, dim)
        self._counts = network.centre.new_zeros(count, classes, 1)
        self._squares = network.centre.new_zeros(count, dim, dim)
        self._metric, self._steps = network.centre.new_zeros(count, dim, dim), 0

    def _measure(self) -> None:
        """Update the metric of φ(x): the inverse of its running covariance, shrunk."""
        count = self._counts.sum(1, keepdim=True)  # (H, 1, 1)
        mean = self._sums.sum(1, keepdim=True) / count
        spread = shrunk(self._squares / count - mean.transpose(1, 2) @ mean, count[:, 0, 0] * (1 + _MEMORY))
        for metric, own in zip(self._metric, spread, strict=True):
            factor, failed = torch.linalg.cholesky_ex(own)
            metric.copy_(torch.linalg.pinv(own, hermitian=True) if failed else torch.cholesky_inverse(factor))

    def narrow(self, which: torch.Tensor) -> None:
        """Keep the adversaries of the heads `which` (K,), int64, and drop the others."""
        narrow(self.network, which, self._optimiser)
        self._sums, self._counts = self._sums[which], self._counts[which]
        self._squares, self._metric = self._squares[which], self._metric[which]

    def learn(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Take one training step on φ(x) (H, B, D), detached, of classes (H, B), int64."""
        if not self._trains:
            self.take(z, codes)
            return
        self.network.requires_grad_(True)
        answer = self.network(z)
        flat = -torch.log_softmax(answer, -1).mean((1, 2))  # cross-entropy against the uniform answer
        loss = (1 - _SMOOTHING) * cross_entropy(answer, codes) + _SMOOTHING * flat
        self._optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        self._optimiser.step()
        self.network.requires_grad_(False)
        self.take(z, codes)

    def take(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Update the means and the metric with φ(x) (H, B, D), detached, of classes (H, B), int64."""
        if not self.means:
            return
        member = torch.nn.functional.one_hot(codes, self._counts.shape[1]).to(z.dtype).transpose(1, 2)  # (H, C, B)
        z = z - self.network.centre
        self._sums.mul_(_MEMORY).baddbmm_(member, z)
        self._counts.mul_(_MEMORY).add_(member.sum(-1, keepdim=True))
        self._squares.mul_(_MEMORY).baddbmm_(z.transpose(1, 2), z)
        if self._steps % _MEASURE_EVERY == 0:
            self._measure()
        self._steps += 1

    def __call__(self, z: torch.Tensor) -> list[torch.Tensor]:
        """Return logits (H, B, C) for φ(x) (H, B, D): the network's, and those by distance to the means.

        The latter are scaled down, so that they stay undecided and have a gradient.
        """
        if not self.means:
            return [self.network(z)]
        means = self._sums / self._counts.clamp_min(1e-6)  # (H, C, D)
        ways = torch.bmm(means, self._metric)  # (H, C, D)
        near = torch.bmm(z - self.network.centre, ways.transpose(1, 2)) - (ways * means).sum(-1)[:, None] / 2
        spread = (near - near.mean(-1, keepdim=True)).abs().mean((1, 2), keepdim=True).detach()
        near = near / spread.clamp_min(1)
        return [self.network(z), near] if self._trains else [near]

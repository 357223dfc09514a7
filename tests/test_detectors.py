"""The heads' adversaries: the class means against slow loops; the network learns; both teach the head."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import OAS

from blindlib.blinders.detectors import Detectors, shrunk
from blindlib.blinders.heads import Classifiers
from blindlib.blinders.losses import cross_entropy
from blindlib.settings import HeadSettings

HEADS, CLASSES, DIM = 2, 3, 4


def detectors(apart):
    """Detectors that have taken the statistics of random φ(x) (2, 60, 4), whose class means lie so far apart."""
    g = torch.Generator().manual_seed(0)
    codes = torch.arange(60).expand(HEADS, -1) % CLASSES
    means = apart * torch.randn(HEADS, CLASSES, DIM, generator=g)
    z = 1 + torch.randn(HEADS, 60, DIM, generator=g) @ torch.randn(DIM, DIM, generator=g)
    z = z + means.gather(1, codes[..., None].expand(-1, -1, DIM))
    network = Classifiers(HEADS, DIM, (8,), CLASSES, g)
    network.standardise(z)
    return Detectors(network, HeadSettings(detector_rate=0.02)), z, codes


def _oas(spread, count):
    """Chen et al. 2010, eq. 23, in plain arithmetic."""
    dim, trace, squares = len(spread), np.trace(spread), np.trace(spread @ spread)
    share = min(1, ((1 - 2 / dim) * squares + trace**2) / ((count + 1 - 2 / dim) * (squares - trace**2 / dim)))
    return (1 - share) * spread + share * trace / dim * np.eye(dim)


def test_the_shrunk_covariance_is_scikit_learn_s_oas():
    """It leaves out two terms that many dimensions make small."""
    z = np.random.default_rng(0).normal(size=(150, 100)) * np.linspace(1, 3, 100)
    spread = torch.tensor(np.cov(z, rowvar=False, bias=True))[None]
    expected = OAS().fit(z).covariance_
    np.testing.assert_allclose(shrunk(spread, torch.tensor([150.0]))[0], expected, atol=0.01 * expected.max())
    assert abs(spread[0].numpy() - expected).max() > 0.1 * expected.max(), "there is something to shrink"


@pytest.mark.parametrize("apart", [0.1, 20.0])
def test_the_class_means_answer_by_mahalanobis_distance_as_the_slow_loop(apart):
    who_reads, z, codes = detectors(apart)
    batches = torch.arange(60).split(20)
    for rows in batches:  # the metric is taken at the first step, and every ten
        who_reads.learn(z[:, rows], codes[:, rows])
    answer = who_reads(z)[1].log_softmax(-1).numpy()  # what all classes share says nothing
    for h in range(HEADS):
        first = z[h, batches[0]].double().numpy()
        spread = np.cov(first, rowvar=False, bias=True)
        precision = np.linalg.inv(_oas(spread, len(first) * 1.97))
        sums, counts = np.zeros((CLASSES, DIM)), np.zeros(CLASSES)
        for rows in batches:
            sums, counts = 0.97 * sums, 0.97 * counts
            for i in rows:
                sums[codes[h, i]] += z[h, i].numpy()
                counts[codes[h, i]] += 1
        means = sums / counts[:, None]
        near = np.array([[-(mahalanobis(row, mean, precision) ** 2) / 2 for mean in means] for row in z[h].numpy()])
        spread = np.abs(near - near.mean(1, keepdims=True)).mean()
        assert (spread > 1) == (apart > 1), "both sides of the limit are tried"
        expected = torch.log_softmax(torch.tensor(near / max(spread, 1)), -1).numpy()
        np.testing.assert_allclose(answer[h], expected, atol=1e-3)


def test_the_network_s_steps_lower_its_loss_for_every_head():
    who_reads, z, codes = detectors(1.0)
    losses = []
    for _ in range(20):
        losses.append(cross_entropy(who_reads(z)[0], codes))
        who_reads.learn(z, codes)
    assert (losses[1] < losses[0]).all() and (losses[-1] < 0.8 * losses[0]).all()


def test_the_network_learns_as_torch_s_smoothed_cross_entropy_teaches_each_alone():
    who_reads, z, codes = detectors(1.0)
    network = deepcopy(who_reads.network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02, weight_decay=0.1)
    for _ in range(5):
        who_reads.learn(z, codes)
        optimiser.zero_grad()
        for answer, truth in zip(network(z), codes, strict=True):
            torch.nn.functional.cross_entropy(answer, truth, label_smoothing=0.1).backward(retain_graph=True)
        optimiser.step()
    for learnt, expected in zip(who_reads.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(learnt, expected, rtol=1e-3, atol=1e-4, check_stride=False)


def test_both_kinds_teach_the_head_and_are_not_taught_by_its_step():
    who_reads, z, codes = detectors(1.0)
    who_reads.learn(z, codes)
    for kind in range(2):
        hidden = z.clone().requires_grad_()
        cross_entropy(who_reads(hidden)[kind], codes).sum().backward()
        assert (hidden.grad.norm(dim=-1) > 0).float().mean() > 0.9 and hidden.grad.isfinite().all()
    assert not any(weight.requires_grad for weight in who_reads.network.parameters())


def test_a_class_that_was_never_shown_leaves_the_answer_finite():
    who_reads, z, codes = detectors(1.0)
    who_reads.learn(z, codes.clamp_max(CLASSES - 2))
    assert all(answer.isfinite().all() for answer in who_reads(z))


def test_without_the_means_the_network_answers_alone():
    who_reads, z, codes = detectors(1.0)
    who_reads.learn(z, codes)
    alone = Detectors(who_reads.network, HeadSettings(means=False))
    (answer,) = alone(z)
    torch.testing.assert_close(answer, who_reads(z)[0])

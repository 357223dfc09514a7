"""Each loss against slow loops on random inputs, and its gradient where that is the point."""

import math

import pytest
import torch

from blindlib.blinders.losses import cross_entropy, negative_entropy, reverse_gradient, sensitivity, triplet


@pytest.mark.parametrize("seed", range(4))
def test_triplet_is_the_slow_loop(seed):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(3, 10, 4, generator=g, dtype=torch.float64)
    who = torch.randint(0, 4, (3, 10), generator=g)
    for h, value in enumerate(triplet(z, who, 0.3)):
        terms = []
        for a in range(10):
            others = [((z[h, a] - z[h, n]) ** 2).sum() for n in range(10) if who[h, n] != who[h, a]]
            for p in range(10):
                if p != a and who[h, p] == who[h, a] and others:
                    terms.append(max(0.0, float(((z[h, a] - z[h, p]) ** 2).sum() - min(others) + 0.3)))
        assert value.item() == pytest.approx(sum(terms) / len(terms), abs=1e-10)


def test_triplet_without_a_pair_is_zero_with_a_gradient():
    z = torch.randn(1, 3, 2, requires_grad=True)
    triplet(z, torch.tensor([[0, 0, 0]]), 0.2).sum().backward()
    assert z.grad.abs().sum() == 0 and z.grad.isfinite().all()


def test_sensitivity_is_zero_at_nine_tenths_and_log_of_its_distance_elsewhere():
    p = torch.tensor([[0.9, 0.9], [0.1, 0.9]], dtype=torch.float64)
    assert sensitivity(p).tolist() == pytest.approx([0, math.log(1.8) / 2])


def test_negative_entropy_is_least_where_uniform_and_finite_where_certain():
    logits = torch.tensor([[[0.0, 0, 0]], [[1000.0, 0, 0]]], requires_grad=True)
    value = negative_entropy(logits)
    assert value.tolist() == pytest.approx([-math.log(3), 0], abs=1e-6)
    value.sum().backward()
    assert logits.grad.isfinite().all()


def test_cross_entropy_is_torch_s_for_each_head():
    g = torch.Generator().manual_seed(0)
    logits, target = torch.randn(3, 7, 5, generator=g), torch.randint(0, 5, (3, 7), generator=g)
    expected = [torch.nn.functional.cross_entropy(a, b).item() for a, b in zip(logits, target, strict=True)]
    assert cross_entropy(logits, target).tolist() == pytest.approx(expected, rel=1e-5)


def test_reversal_is_the_identity_forward_and_minus_scale_backward():
    x = torch.tensor([2.0, -1.0], requires_grad=True)
    y = reverse_gradient(x, torch.tensor([0.1, 10.0]))
    assert y.tolist() == [2.0, -1.0]
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx([-0.1, -10.0])

"""Each loss against slow loops on random inputs, and its gradient where that is the point."""

import math

import pytest
import torch

from blindlib.blinders import lntl, sensitivenets
from blindlib.blinders.losses import cross_entropy, negative_entropy, sensitivity, triplet


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


def random_game(seed):
    """Two heads: faces of two people each, and two detectors' logits for five images of three classes."""
    g = torch.Generator().manual_seed(seed)
    faces = torch.randn(2, 4, 3, generator=g, dtype=torch.float64)
    who = torch.tensor([[0, 0, 1, 1]]).expand(2, -1)
    answers = [torch.randn(2, 5, 3, generator=g, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    return faces, who, answers, torch.randint(0, 3, (2, 5), generator=g), torch.tensor([0.3, 2.0], dtype=torch.float64)


def chances(logits):
    """Softmax of one image's logits, as a list."""
    powers = [math.exp(value) for value in logits.tolist()]
    return [power / sum(powers) for power in powers]


def test_sensitivenets_objective_is_the_slow_loop_over_every_detector():
    faces, who, answers, _, strength = random_game(0)
    value, terms = sensitivenets.objective(faces, who, answers, 2, strength, 0.3)
    for h in range(2):
        network, means = ([math.log(1 + abs(0.9 - chances(answer[h, b])[2])) for b in range(5)] for answer in answers)
        asked, keep = (sum(network) + 2 * sum(means)) / 15, triplet(faces, who, 0.3)[h].item()
        assert terms["penalty"][h].item() == pytest.approx(asked)
        assert value[h].item() == pytest.approx(keep + strength[h].item() * asked)
    alone = sensitivenets.objective(faces, who, answers[:1], 2, strength, 0.3)[1]["penalty"][1].item()
    assert alone == pytest.approx(sum(network) / 5), "without class means the network counts alone"


def test_lntl_s_objective_is_the_slow_loop_over_every_detector():
    task, _, answers, b, strength = random_game(1)
    y = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1]])
    value, terms = lntl.objective(task, y, answers, b, strength, 0.1)
    for h in range(2):
        served = sum(-math.log(chances(task[h, i])[y[h, i]]) for i in range(4)) / 4
        told = [
            (w, chances(answer[h, i]), b[h, i]) for w, answer in zip((1, 2), answers, strict=True) for i in range(5)
        ]
        entropy = sum(-w * sum(p * math.log(p) for p in all_p) for w, all_p, _ in told) / 15
        read = sum(-w * math.log(all_p[truth]) for w, all_p, truth in told) / 15
        assert terms["entropy"][h].item() == pytest.approx(entropy)
        assert value[h].item() == pytest.approx(served - strength[h].item() * (0.1 * entropy + read))


def test_lntl_reverses_the_detectors_gradient_by_its_strength():
    """With λ_e = 0 what reaches the head through a detector is −λ times what the detector itself would go down."""
    task, _, answers, b, strength = random_game(2)
    y = torch.zeros(2, 4, dtype=torch.int64)
    game = lntl.objective(task, y, answers, b, strength, 0.0)[0].sum()
    own = sum(w * cross_entropy(answer, b) for w, answer in zip((1, 2), answers, strict=True)).sum() / 3
    for reached, learnt in zip(torch.autograd.grad(game, answers), torch.autograd.grad(own, answers), strict=True):
        torch.testing.assert_close(reached, -strength[:, None, None] * learnt)

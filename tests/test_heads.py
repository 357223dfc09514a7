"""Banks: each head of a bank is the head that would have been trained alone."""

import numpy as np
import pytest
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.sampling import GroupSampler


def bank(count=3, dim=6, hidden=4, seed=0, **form):
    g = torch.Generator().manual_seed(seed)
    heads = ResidualHeads(hidden, torch.randn(count, dim, generator=g), torch.rand(count, generator=g) + 0.5, g, **form)
    with torch.no_grad():
        heads.up.copy_(torch.randn(count, hidden, dim, generator=g))
        heads.bias.copy_(torch.randn(count, 1, hidden, generator=g))
    return heads


def test_heads_start_at_the_identity_map():
    x = torch.randn(2, 5, 6)
    start = ResidualHeads(4, torch.zeros(2, 6), torch.ones(2), torch.Generator().manual_seed(0))
    torch.testing.assert_close(start(x), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", [{}, {"residual": False}, {"keep_norm": False}])
def test_a_bank_is_its_heads_one_by_one_by_the_formula(form):
    heads, x = bank(**form), torch.randn(3, 5, 6)
    out = heads(x)
    for h in range(3):
        m, s = heads.centre[h, 0], heads.scale[h, 0, 0]
        hidden = (x[h] - m) / s @ heads.down[h] + heads.bias[h]
        hidden[:, :2] = hidden[:, :2].clamp_min(0)  # of four hidden units two bend, two do not
        u = x[h] * form.get("residual", True) + s * hidden @ heads.up[h]
        if form.get("keep_norm", True):
            u = u * (x[h].norm(dim=1) / u.norm(dim=1))[:, None]
        torch.testing.assert_close(out[h], u)
        torch.testing.assert_close(heads.pick([h])(x[h : h + 1])[0], u)


def test_without_the_residual_heads_start_at_random_those_of_a_split_alike():
    words = (4, torch.zeros(4, 6), torch.ones(4), torch.Generator().manual_seed(0))
    up = ResidualHeads(*words, sharing=2, residual=False).up
    assert torch.equal(up[0], up[1]) and torch.equal(up[2], up[3]) and not torch.equal(up[1], up[2])
    assert up.std().item() == pytest.approx(0.5, rel=0.3), "1 / sqrt(M)"


def test_the_norm_is_kept():
    x = torch.randn(3, 5, 6)
    torch.testing.assert_close(bank()(x).norm(dim=-1), x.norm(dim=-1))


@pytest.mark.parametrize("name", ["down", "up", "centre"])
def test_arrays_that_do_not_belong_together_are_refused(name):
    arrays = bank().arrays()
    arrays[name] = arrays[name][:, :, :-1].contiguous()
    with pytest.raises(ValueError, match="shape"):
        ResidualHeads.from_arrays(arrays)


def test_classifiers_of_a_bank_learn_as_they_would_alone():
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 30, 5, generator=g), torch.randint(0, 3, (2, 30), generator=g)
    together = Classifiers(2, 5, (4,), 3, torch.Generator().manual_seed(7), sharing=2)
    alone = Classifiers(1, 5, (4,), 3, torch.Generator().manual_seed(7))
    for model, a, b in ((together, x, y), (alone, x[1:], y[1:])):
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.05)
        for _ in range(10):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(a).transpose(1, 2), b, reduction="none").mean(1).sum().backward()
            optimiser.step()
    torch.testing.assert_close(together.weights[0][1], alone.weights[0][0], rtol=1e-4, atol=1e-5)


def sampler(rows, labels, **options):
    options = {"cap": 100, "at_least": 1, "generator": np.random.default_rng(0), "device": "cpu"} | options
    return GroupSampler([np.asarray(r) for r in rows], np.asarray(labels), **options)


def test_batches_are_p_groups_of_k_rows_of_their_own_split():
    labels = np.repeat(np.arange(10), 3)
    draw = sampler([np.arange(15), np.arange(15, 30)], labels, at_least=2).draw(4, 2, torch.Generator().manual_seed(0))
    assert draw.shape == (2, 8)
    for split, index in enumerate(draw.numpy()):
        assert set(index) <= set(range(15 * split, 15 * split + 15))
        assert len(set(index)) == 8, "rows of a group are drawn without replacement"
        assert sorted(np.unique(labels[index], return_counts=True)[1]) == [2, 2, 2, 2]


def test_unlabelled_rows_and_small_groups_are_never_drawn():
    labels = np.array([0, 0, 1, -1, -1, 2, 2, 2])
    s = sampler([np.arange(8)], labels, at_least=2)
    seen = {int(i) for k in range(50) for i in s.draw(2, 2, torch.Generator().manual_seed(k))[0]}
    assert seen == {0, 1, 5, 6, 7}


def test_a_small_group_wraps_round_and_the_cap_holds():
    s = sampler([np.arange(8)], np.array([0, 0, 1, 1, 1, 1, 1, 1]), cap=3)
    draw = s.draw(None, 4, torch.Generator().manual_seed(0))[0].numpy()
    assert (np.bincount(np.isin(draw, [0, 1])) == [4, 4]).all() and s.index.shape == (1, 2, 3)


def test_a_split_without_groups_says_so():
    with pytest.raises(ValueError, match="no group with 2"):
        sampler([[0, 1]], [0, 1], at_least=2)

"""How a bank steps: plain gradients in the metric of x, and the running mean that is judged and kept."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import sklearn
import torch
from sklearn.covariance import ledoit_wolf

from blindlib.appendix.centre_loss import CentreLoss
from blindlib.blinders import LNTL, SensitiveNets, detectors, head_blinder
from blindlib.blinders.training import Training, TrainingSet
from blindlib.settings import CentreLossSettings, LNTLSettings, SensitiveNetsSettings

TINY = {"hidden": 6, "rounds": 3, "head_steps": 4, "identities": 4, "per_class": 4, "detector": (4,), "rate": 0.2}
STRENGTHS = [0.0, 1.0]


@pytest.fixture
def data():
    """80 rows of 5 dimensions, one of which hardly varies; two splits of different people."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) * np.array([1, 1, 1, 1, 0.05]) + 2
    codes, people = np.arange(80) % 3, np.arange(80) // 4
    none = np.full(80, -1)
    halves = [np.flatnonzero(people % 2 == half) for half in (0, 1)]
    return TrainingSet(
        torch.tensor(x, dtype=torch.float32), people, codes, none, none + 1, halves, halves, tuple("abc")
    )


@pytest.fixture
def training(data):
    """Two splits with two strengths; the heads do not stand at the identity, where V has no gradient."""
    training = Training(data, SensitiveNetsSettings(**TINY), STRENGTHS, "identity", (0, "t"))
    with torch.no_grad():
        g = torch.Generator().manual_seed(1)
        training.heads.up.copy_(0.1 * torch.randn(training.heads.up.shape, generator=g))
    return training


def loss(training, seed):
    """Some loss (H,) of the heads: the distance of what they give from random points."""
    x = training.data.x.expand(4, -1, -1)
    points = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return (training.heads(x) - points).square().mean((1, 2))


def test_update_moves_u_by_the_gradient_times_the_covariance_and_the_rest_by_the_gradient(data, training):
    parameters = dict(training.heads.named_parameters())
    expected = {name: value.detach().clone() for name, value in parameters.items()}
    speed = {name: torch.zeros_like(value) for name, value in expected.items()}
    covariances = [ledoit_wolf(data.x[rows].double().numpy())[0] for rows in data.head]
    metric = [torch.tensor(c / np.diag(c).mean(), dtype=torch.float32) for c in covariances]
    for step in range(3):
        rate = 0.2 * (step + 1) / 100  # warm-up
        gradients = torch.autograd.grad(loss(training, step).sum(), list(parameters.values()))
        for (name, value), gradient in zip(expected.items(), gradients, strict=True):
            for h in range(4):
                moved = gradient[h] @ metric[h // 2] if name == "up" else gradient[h]
                speed[name][h] = 0.9 * speed[name][h] + moved
                value[h] -= rate * speed[name][h]
        training.update(loss(training, step))
        for name, value in parameters.items():
            torch.testing.assert_close(value.detach(), expected[name], rtol=1e-4, atol=1e-6)
            assert gradients[list(parameters).index(name)].abs().sum() > 1e-3, "the test has something to move"


def test_the_average_is_the_running_mean_of_the_heads_and_is_what_is_judged(data, training):
    kept = [value.clone() for value in training.average.parameters()]
    assert kept[2].abs().sum() == 0, "U of the mean begins at the identity map"
    for step in range(1, 1001):
        with torch.no_grad():
            for value in training.heads.parameters():
                value.add_(0.01)
        training.update(0 * loss(training, 0))
        share = max(0.01, 9 / (step + 9))  # of the newest: nearly all at first, a hundredth in the end
        kept = [
            (1 - share) * old + share * new.detach() for old, new in zip(kept, training.heads.parameters(), strict=True)
        ]
    for mean, value in zip(kept, training.average.parameters(), strict=True):
        torch.testing.assert_close(value, mean, rtol=1e-4, atol=1e-5)
    rows = torch.arange(80).expand(4, -1)
    torch.testing.assert_close(training.blind(rows), training.average(data.x[rows]))
    assert not training.blind(rows).requires_grad
    assert (training.blind(rows) - training.heads(data.x[rows])).abs().max() > 0.01


@pytest.mark.parametrize(("kind", "settings"), [(SensitiveNets, SensitiveNetsSettings), (LNTL, LNTLSettings)])
def test_what_a_blinder_keeps_is_the_average(data, monkeypatch, kind, settings):
    seen = []
    monkeypatch.setattr(head_blinder, "Training", lambda *words: seen.append(Training(*words)) or seen[-1])
    fitted = kind(settings=settings(**TINY, strengths=(0.0, 1.0)), device="cpu").fit_splits(data)
    torch.testing.assert_close(fitted.heads_.up, seen[0].average.up, rtol=0, atol=0)
    assert not torch.equal(fitted.heads_.up, seen[0].heads.up) and not fitted.heads_.up.requires_grad


def count_lessons(data, monkeypatch, **options):
    """How often detectors learnt while SensitiveNets trained, and how many of them there were."""
    lessons, made, real = [], [], detectors.Detectors.learn
    monkeypatch.setattr(detectors.Detectors, "learn", lambda *words: lessons.append(words) or real(*words))
    monkeypatch.setattr(Training, "detectors", lambda self, of=Training.detectors: made.append(self) or of(self))
    SensitiveNets(settings=SensitiveNetsSettings(**TINY, **options), device="cpu").fit_splits(data)
    return len(lessons), len(made)


def test_one_detector_learns_in_every_step(data, monkeypatch):
    assert count_lessons(data, monkeypatch) == (3 * 4, 1)


def test_in_the_ablation_new_detectors_learn_before_the_heads_and_are_frozen_after(data, monkeypatch):
    assert count_lessons(data, monkeypatch, anew=7) == (3 * 7, 3)


@pytest.mark.parametrize(("look", "end"), [(1, 2), (2, 4)])
def test_training_ends_when_nothing_better_comes_or_at_its_ceiling(data, monkeypatch, look, end):
    flat = {"attribute": np.full(4, 60.0), "identity": np.full(4, 95.0)}
    settings = SensitiveNetsSettings(**{**TINY, "rounds": 9, "patience": 2, "look": look}, strengths=(0.5, 1.0))
    steps = count()
    falls = lambda: flat | {"attribute": flat["attribute"] - 2 * next(steps)}  # noqa: E731
    for probes, rounds, converged in ((lambda: flat, end, True), (falls, 9, False)):
        monkeypatch.setattr(head_blinder, "ValidationProbes", lambda *_, probes=probes: probes)
        fitted = SensitiveNets(settings=settings, device="cpu").fit_splits(data, budget=100)
        assert (fitted.history_[-1]["round"], fitted.converged_) == (rounds, converged)
        looks = sorted({row["round"] for row in fitted.history_})
        assert looks == sorted({*range(0, rounds + 1, look), rounds}), "before, every so many rounds, and at the end"
        kept = [row["round"] for row in fitted.history_ if row["kept"]]
        assert kept == ([9] * 4 if probes is falls else [look] * 4)
    alone = SensitiveNets(settings=settings, device="cpu").fit_splits(data)
    assert (alone.history_[-1]["round"], alone.converged_) == (9, False), "no validation: all rounds"
    assert [row["round"] for row in alone.history_ if row["kept"]] == [9] * 4


@pytest.mark.parametrize(
    "method",
    [
        SensitiveNets(settings=SensitiveNetsSettings(**TINY, look=1, strengths=(0.0, 0.5, 1.0))),
        SensitiveNets(settings=SensitiveNetsSettings(**TINY, look=1, strengths=(0.0, 0.5, 1.0), anew=2)),
        LNTL(settings=LNTLSettings(**TINY, look=1, strengths=(0.0, 0.5, 1.0))),
        CentreLoss(settings=CentreLossSettings(**TINY, look=1, strengths=(0.0, 0.5, 1.0))),
    ],
    ids=["SN", "anew", "LNTL", "centre loss"],
)
def test_what_has_stopped_is_left_and_the_others_are_trained_as_if_it_were_there(data, monkeypatch, method):
    """The second of three strengths stops after the second round of three."""
    seen, shapes = [], []

    def trained(leave):
        def going(best, patience):
            stay = [0, 2] if leave and len(best._means) == 3 else list(range(best._heads.shape[1]))
            best._heads = best._heads[:, stay]
            return stay

        steps = count()

        def probes():
            heads = len(seen[-1].strength)
            shapes.append(heads)
            return {"attribute": np.full(heads, 60.0 - 3 * next(steps)), "identity": np.full(heads, 95.0)}

        monkeypatch.setattr(head_blinder.Checkpoints, "going", going)
        monkeypatch.setattr(head_blinder, "Training", lambda *words: seen.append(Training(*words)) or seen[-1])
        monkeypatch.setattr(head_blinder, "ValidationProbes", lambda *_: probes)
        return sklearn.base.clone(method).set_params(device="cpu").fit_splits(data, budget=3)

    whole, narrowed = trained(False), trained(True)
    assert shapes == [6, 6, 6, 6, 6, 6, 6, 4]
    kept = {(row["split"], row["strength"]): row["round"] for row in narrowed.history_ if row["kept"]}
    assert kept == {(split, strength): 2 if strength == 0.5 else 3 for split in (0, 1) for strength in (0.0, 0.5, 1.0)}
    for name in ("down", "up", "bias"):
        one, other = getattr(whole.heads_, name), getattr(narrowed.heads_, name)
        torch.testing.assert_close(one[[0, 2, 3, 5]], other[[0, 2, 3, 5]], rtol=1e-4, atol=1e-6)
        assert not torch.allclose(one[[1, 4]], other[[1, 4]], rtol=1e-4, atol=1e-6) or name == "bias"


def test_the_head_that_is_kept_is_that_of_the_best_round(data, monkeypatch):
    """The third head is at its best after round 1, the others after round 2 of 3."""
    read, states = {0: [60.0] * 4, 1: [50, 50, 20, 50], 2: [40, 40, 30, 40], 3: [45, 45, 45, 45]}, {}

    steps = count()

    def probes():
        number = next(steps)
        states[number] = seen[0].average.up.detach().clone()
        return {"attribute": np.array(read[number], float), "identity": np.full(4, 95.0)}

    seen = []
    monkeypatch.setattr(head_blinder, "Training", lambda *words: seen.append(Training(*words)) or seen[-1])
    monkeypatch.setattr(head_blinder, "ValidationProbes", lambda *_: probes)
    settings = SensitiveNetsSettings(**TINY, look=1, strengths=(0.5, 1.0))
    fitted = SensitiveNets(settings=settings, device="cpu").fit_splits(data, budget=3)
    for head, number in enumerate((2, 2, 1, 2)):
        torch.testing.assert_close(fitted.heads_.up[head], states[number][head], rtol=0, atol=0)
        assert not torch.equal(states[number][head], states[3][head])


@pytest.mark.parametrize("norm", [0.04, 25.0])
def test_the_norm_of_x_changes_nothing(data, norm):
    """Triplets are measured in the mean norm of x: what a head does to a scaled x is the scaled thing."""
    settings = SensitiveNetsSettings(**TINY, strengths=(0.0, 1.0))
    plain = SensitiveNets(settings=settings, device="cpu").fit_splits(data)
    scaled = SensitiveNets(settings=settings, device="cpu").fit_splits(replace(data, x=norm * data.x))
    torch.testing.assert_close(norm * plain.heads_(data.x[None]), scaled.heads_(norm * data.x[None]), rtol=2e-3, atol=0)
    assert (plain.heads_(data.x[None]) - data.x).abs().max() > 0.05

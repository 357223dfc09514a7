"""Obliviator: an eraser that looks through kernels, round by round."""

from math import pi, sqrt

import numpy as np
import torch
from torch.nn.functional import normalize, one_hot, silu

from blindlib.blinders.blinder import Blinder
from blindlib.common.work import derive_seed
from blindlib.metrics import effective_rank

_FEATURES = 600  # random Fourier features of a kernel
_HIDDEN = 256
_BATCH = 840
_RATE, _MOMENTA = 1e-3, (0.85, 0.995)
_SMOOTHER = 1.25, 1.5  # times the median distance: the kernels' widths for x and for φ in training
_MIXTURE = 0.2, 1.0  # parts of x and of the round before in the choice of directions
_TOLERANCE = 1e-4  # of the largest eigenvalue
_LEAST = 0.25  # of x's effective rank


class Obliviator(Blinder):
    """Residual heads that make φ independent of y in a kernel's eyes, each followed by a projection in that kernel.

    With h the root of HSIC by Gaussian kernels as wide as the median distance (y is one-hot), a round trains
    w = z + g(z), of unit norm, to minimise

        h(w, y) − keep · (h(w, x) + h(w, z)).

    Then, of the directions in which the kernel's random Fourier features of w have no covariance with y, it takes the D
    that vary most with x and z: the next z, of unit norm. It starts at x, centred and of unit norm, and ends before a
    round that leaves less than a quarter of x's effective rank on the rows that fit it.

    Parameters
    ----------
    rounds, epochs : int
        At most so many rounds; epochs of each one's head.
    keep : float
        What dependence on x counts beside independence of y; with much of it the rank collapses.
    random_state : int

    Source: Akbari, Afshari & Boddeti 2026, arXiv 2603.07529, unsupervised, with the widths and rates of the authors'
    code. Ours (**decision**): the residual head, without which people whom it has not seen are mixed up; exact kernels
    in training; the sizes; the guard; `rounds` and `keep`, on validation people of two splits of the rendered world.
    It does not show that nobody reads y: the covariance is gone on the people who fit it, in one kernel, and for what
    random features tell of it. Ask fresh probes.
    """

    name = "Obliviator"

    def __init__(self, rounds=5, epochs=15, keep=0.01, random_state=0, *, bits=None):
        self.rounds, self.epochs, self.keep, self.random_state, self.bits = rounds, epochs, keep, random_state, bits

    def fit(self, X, y, *, identity=None):
        """Fit on the rows of X (N, D) whose y is known, with two N × N matrices in memory; who is shown is not asked.

        Raises ValueError if a parameter is out of range, or the first round leaves too little.
        """
        X, codes, _ = self._check(X, y, identity=identity)
        member = one_hot(torch.as_tensor(codes[codes >= 0])).float()
        self.bias_, self.steps_ = torch.tensor(X[codes >= 0]).mean(0), []
        x = z = normalize(torch.tensor(X[codes >= 0]) - self.bias_)
        generator = torch.Generator().manual_seed(derive_seed("Obliviator", self.random_state))
        width = _SMOOTHER[0] * _distance(x)
        of_x, near_x = _Step(x.shape[1], generator).features(x, width), _kernel(x, width)
        for _ in range(self.rounds):
            step = _Step(x.shape[1], generator)
            near = [near_x, _kernel(z, _distance(z))] if self.steps_ else [near_x]
            step.train(z, member, near, self.epochs, self.keep, generator)
            step.project(z, member, (of_x, step.features(z, _distance(z))))
            z = step(z)
            if effective_rank(z) < _LEAST * effective_rank(x):
                break
            self.steps_.append(step)
        if not self.steps_:
            raise ValueError("too little is left after one round: Obliviator would collapse; use fewer epochs")
        self._take_peaks([np.abs(self._map(X[codes >= 0])).max()])
        return self

    @torch.no_grad()
    def _map(self, X: np.ndarray) -> np.ndarray:
        z = normalize(torch.tensor(X).float() - self.bias_)
        for step in self.steps_:
            z = step(z)
        return z.numpy()

    def _arrays(self) -> dict[str, torch.Tensor]:
        steps = {f"{n}.{name}": value for n, step in enumerate(self.steps_) for name, value in step.arrays.items()}
        return {"bias": self.bias_, **{name: value.contiguous() for name, value in steps.items()}}

    def _restore(self, arrays: dict[str, torch.Tensor]) -> None:
        dim, count = self.n_features_in_, (len(arrays) - 1) // 10
        if tuple(arrays["bias"].shape) != (dim,):
            raise ValueError(f"{tuple(arrays['bias'].shape)} for {dim} dimensions")
        self.bias_, self.steps_ = arrays["bias"], [_Step(dim, torch.Generator()) for _ in range(count)]
        shapes = {name: value.shape for name, value in arrays.items()}
        if shapes != {name: value.shape for name, value in self._arrays().items()}:
            raise ValueError(f"{shapes}")
        for n, step in enumerate(self.steps_):
            step.arrays = {name: arrays[f"{n}.{name}"] for name in step.arrays}
        if not all(step.arrays["width"] > 0 for step in self.steps_):
            raise ValueError("width, by which x is divided, is not above 0")


class _Step:
    """One round of a dimension D: its head, its random Fourier features, and where they are projected."""

    def __init__(self, dim: int, generator: torch.Generator):
        def draw(a: int, b: int) -> torch.Tensor:
            return (2 * torch.rand(a, b, generator=generator) - 1) / sqrt(a)  # as torch.nn.Linear starts

        self.arrays = {
            **{"in": draw(dim, _HIDDEN), "in_bias": torch.zeros(_HIDDEN)},
            **{"middle": draw(_HIDDEN, _HIDDEN), "middle_bias": torch.zeros(_HIDDEN)},
            **{"out": torch.zeros(_HIDDEN, dim), "waves": torch.randn(dim, _FEATURES, generator=generator)},
            **{"phase": 2 * pi * torch.rand(_FEATURES, generator=generator), "width": torch.ones(())},
            **{"centre": torch.zeros(_FEATURES), "directions": torch.zeros(_FEATURES, dim)},
        }

    def head(self, z: torch.Tensor) -> torch.Tensor:
        """z + g(z), of unit norm: (N, D)."""
        a = self.arrays
        inner = silu(silu(z @ a["in"] + a["in_bias"]) @ a["middle"] + a["middle_bias"])
        return normalize(z + inner @ a["out"])

    def features(self, z: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
        """Random Fourier features of a Gaussian kernel: (N, D) -> (N, F)."""
        return sqrt(2 / _FEATURES) * torch.cos(z @ self.arrays["waves"] / width + self.arrays["phase"])

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """The next z: (N, D), of unit norm."""
        seen = self.features(self.head(z), self.arrays["width"])
        return normalize((seen - self.arrays["centre"]) @ self.arrays["directions"])

    def train(self, z, member, near: list[torch.Tensor], epochs: int, keep: float, generator: torch.Generator) -> None:
        """Train the head on z (N, D), y as `member` (N, C), and kernels (N, N) of that on which w shall depend."""
        weights = [self.arrays[name].requires_grad_() for name in ("in", "in_bias", "middle", "middle_bias", "out")]
        optimiser = torch.optim.AdamW(weights, _RATE, betas=_MOMENTA)
        for _ in range(epochs):
            for rows in torch.randperm(len(z), generator=generator).tensor_split(max(1, len(z) // _BATCH)):
                w = self.head(z[rows])
                inner = _kernel(w, _SMOOTHER[1] * _distance(w.detach()))
                inner = inner - inner.mean(0) - inner.mean(1, keepdim=True) + inner.mean()
                loss = _dependence(inner, member[rows] @ member[rows].T)
                loss = loss - keep * sum(_dependence(inner, kernel[rows][:, rows]) for kernel in near)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        for weight in weights:
            weight.requires_grad_(False)

    @torch.no_grad()
    def project(self, z, member, targets: tuple) -> None:
        """Find the directions of f(w) that have no covariance with y and vary most with the targets (N, F)."""
        w = self.head(z)
        self.arrays["width"] = _distance(w)
        seen = self.features(w, self.arrays["width"])
        self.arrays["centre"] = seen.mean(0)
        size, ways = torch.linalg.svd(_covariance(member, seen))[1:]
        free = ways[int((size > 1e-5 * size[0]).sum()) :].T  # (F, those without covariance with y)
        shared = 0
        for part, target in zip(_MIXTURE, targets, strict=True):
            both = (_covariance(target, seen) @ free).T @ (_covariance(target, seen) @ free)
            shared = shared + part * both / torch.linalg.matrix_norm(both, 2).clamp_min(1e-12)
        value, vector = torch.linalg.eigh(shared)
        best = free @ vector[:, value > _TOLERANCE * value[-1]].flip(1)[:, : z.shape[1]]
        self.arrays["directions"][:, : best.shape[1]] = best


def _distance(z: torch.Tensor) -> torch.Tensor:
    """The median distance of some 400 rows of z (N, D)."""
    return torch.pdist(z[:: max(1, len(z) // 400)][:400]).median().clamp_min(1e-6)


def _covariance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(N, F), (N, G) -> (F, G)."""
    return (a - a.mean(0)).T @ (b - b.mean(0)) / len(a)


def _kernel(z: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """The Gaussian kernel of the rows of z (N, D): (N, N)."""
    size = z.square().sum(1)
    return torch.exp((z @ z.T - (size[:, None] + size) / 2) / width**2)


def _dependence(centred: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """h, the root of HSIC, of two kernels (N, N), of which one is centred."""
    return (centred * other).sum().clamp_min(1e-12).sqrt() / len(other)

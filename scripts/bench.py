"""`make bench`: ratios on this machine, each pair measured in turn in one process; nothing here is a test."""

import dataclasses
import statistics
import time

import numpy as np
import torch

from blindlib.lntl import fit_lntl
from blindlib.presets import LNTLConfig, SensitiveNetsConfig
from blindlib.sensitivenets import fit_sensitivenets
from blindlib.training import TrainingSet, pick_device

SPLITS, STRENGTHS, REPEATS = 5, (0.0, 0.1, 0.3, 1.0, 3.0, 10.0), 3


def world(device: torch.device, people: int = 800, dim: int = 128) -> TrainingSet:
    """Random embeddings of the size of a split of LFW: nothing is learnt, only timed."""
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(people), 3)
    x = torch.tensor(rng.normal(size=(len(identity), dim)), dtype=torch.float32, device=device)
    rows = [np.flatnonzero(identity % SPLITS != s) for s in range(SPLITS)]
    none = np.full(len(identity), -1)
    return TrainingSet(x, identity, rng.integers(0, 2, len(identity)), none, rows, rows)


def seconds(work) -> float:
    """Wall seconds of one call, the device idle before and after."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name: str, fit, config, data: TrainingSet) -> None:
    """Print how much faster a bank of all splits and strengths trains than its heads one by one."""

    def bank() -> None:
        fit(data, config, seed=0, classes=("a", "b"), judge=False)

    def alone() -> None:
        for s in range(SPLITS):
            one = dataclasses.replace(data, head=[data.head[s]], validation=[data.validation[s]])
            for strength in STRENGTHS:
                fit(one, dataclasses.replace(config, strengths=(strength,)), seed=0, classes=("a", "b"), judge=False)

    pairs = [(seconds(alone), seconds(bank)) for _ in range(REPEATS)]
    ratio = statistics.median(a / b for a, b in pairs)
    print(
        f"{name}: {len(STRENGTHS) * SPLITS} heads one by one {statistics.median(a for a, _ in pairs):.1f} s, as a bank "
        f"{statistics.median(b for _, b in pairs):.1f} s: {ratio:.1f} x",
        flush=True,
    )


def main() -> None:
    """Both methods, one round of a smaller budget."""
    device = pick_device()
    print(
        f"device: {torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu'}, {torch.get_num_threads()} threads"
    )
    short = {"rounds": 1, "head_steps": 30, "strengths": STRENGTHS}
    data = world(device)
    compare("SensitiveNets", fit_sensitivenets, SensitiveNetsConfig(detector_steps=60, **short, target="a"), data)
    compare("LNTL", lambda *a, **k: fit_lntl(*a, task="identity", **k), LNTLConfig(**short), data)


if __name__ == "__main__":
    main()

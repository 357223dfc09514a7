"""`make bench`: ratios on this machine, each pair measured in turn in one process; nothing here is a test."""

import dataclasses
import statistics
import time

import numpy as np
import torch

from blindlib.backbones.compactnet import fold_norms
from blindlib.backbones.registry import embed_frames, get_backbone
from blindlib.backbones.store import _encode
from blindlib.backbones.vggface2 import VGGFace2ResNet50
from blindlib.blinders import LNTL, SensitiveNets
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.errors import foreseen_in_one_line
from blindlib.common.processes import one_line_when_interrupted
from blindlib.presets import PRESETS
from blindlib.settings import LNTLSettings, SensitiveNetsSettings
from blindlib.synthfaces.export import compiler_lacks
from blindlib.synthfaces.render import render
from blindlib.synthfaces.roles import make_roles

SPLITS, STRENGTHS, REPEATS = 5, (0.0, 0.1, 0.3, 1.0, 3.0, 10.0), 3


def world(device: torch.device, people: int = 800, dim: int = 128) -> TrainingSet:
    """Random embeddings of the size of a split of LFW: nothing is learnt, only timed."""
    rng = np.random.default_rng(0)
    identity = np.repeat(np.arange(people), 3)
    x = torch.tensor(rng.normal(size=(len(identity), dim)), dtype=torch.float32, device=device)
    rows = [np.flatnonzero(identity % SPLITS != s) for s in range(SPLITS)]
    none = np.full(len(identity), -1)
    return TrainingSet(x, identity, rng.integers(0, 2, len(identity)), none, none, rows, rows, ("a", "b"))


def seconds(work) -> float:
    """Wall seconds of one call, the device idle before and after."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(blinder: HeadBlinder, data: TrainingSet) -> None:
    """Print how much faster a bank of all splits and strengths trains than its heads one by one."""

    def bank() -> None:
        blinder.fit_splits(data)

    def alone() -> None:
        for s in range(SPLITS):
            one = dataclasses.replace(data, head=[data.head[s]], validation=[data.validation[s]])
            for strength in STRENGTHS:
                single = dataclasses.replace(blinder.settings, strengths=(strength,))
                type(blinder)(settings=single).fit_splits(one)

    pairs = [(seconds(alone), seconds(bank)) for _ in range(REPEATS)]
    ratio = statistics.median(a / b for a, b in pairs)
    one_by_one, together = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{blinder.name}: {len(STRENGTHS) * SPLITS} heads one by one {one_by_one:.1f} s, as a bank {together:.1f} s: "
        f"{ratio:.1f} x",
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
    compare(SensitiveNets(settings=SensitiveNetsSettings(**short)), data)
    compare(LNTL(settings=LNTLSettings(**short)), data)


def faces_per_second() -> None:
    """Print how many faces a second the renderer makes: plain, fused by torch.compile, on a GPU where there is one."""
    album = make_roles(PRESETS["demo"].synth, 0).head(1024)
    ways = {"plain, all cores": {}}
    if not compiler_lacks():
        ways["fused by torch.compile"] = {"compiled": True}
    if torch.cuda.is_available():
        ways[torch.cuda.get_device_name()] = {"device": "cuda"}
    plain = None
    for name, options in ways.items():
        first = seconds(lambda options=options: render(album.head(64), **options))
        rate = len(album) / statistics.median(seconds(lambda o=options: render(album, **o)) for _ in range(REPEATS))
        plain = plain or rate
        print(f"rendering, {name}: {rate:.0f} faces/s, {rate / plain:.1f} x; first call {first:.0f} s", flush=True)


def aligned_faces_per_second() -> None:
    """Print how many aligned faces a second ResNet-50 embeds as extraction runs it; weights and faces are noise."""
    chips = np.random.default_rng(0).integers(0, 256, (64, 224, 224, 3), np.uint8)
    network = fold_norms(VGGFace2ResNet50("keras").eval()).to(pick_device(), memory_format=torch.channels_last)
    backbone = dataclasses.replace(get_backbone("resnet50"), encode=lambda x: embed_frames(network, x))
    _encode(backbone, chips[:32])
    took = statistics.median(seconds(lambda: _encode(backbone, chips)) for _ in range(REPEATS))
    print(f"resnet50: {len(chips) / took:.0f} aligned faces/s", flush=True)


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        main()
        aligned_faces_per_second()
        faces_per_second()

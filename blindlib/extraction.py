"""The work of an extraction, on all cores: one shard of files -> boxes and embeddings."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd

from blindlib.backbones import Backbone, get_backbone
from blindlib.errors import InputError
from blindlib.images import align, shrink, shrink_frames
from blindlib.synthfaces.render import render

_CHUNK = 8


def _die_with_parent() -> None:
    """Let no worker outlive a parent that was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@contextmanager
def workers(backbone: Backbone) -> Iterator[Executor]:
    """A pool on all cores: processes where faces are aligned, threads where images are only decoded.

    Processes are spawned, not forked: a fork after PyTorch has started its threads can hang.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if backbone.alignment is None:
        pool = ThreadPoolExecutor(cores)
    else:
        pool = ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _die_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def run_shard(
    pool: Executor, backbone: Backbone, files: list[str], box: tuple | None, done: Callable[[int], object]
) -> np.ndarray:
    """Boxes and embeddings of some files.

    Parameters
    ----------
    pool : Executor
        Of `workers`.
    backbone : Backbone
    files : list of str
    box : tuple of float or None
        The face's box for all of them; None detects.
    done : callable
        Called with the number of images just finished.

    Returns
    -------
    float64 array (n, 4 + D)
        Box (NaN where no face was found, or none was looked for), then embedding (0 where no face was found).
    """
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    blocks = []
    for boxes, payload in pool.map(_align_chunk, chunks, [backbone.name] * len(chunks), [box] * len(chunks)):
        found = ~np.isnan(boxes[:, 0]) if backbone.alignment is not None else np.ones(len(boxes), bool)
        block = np.zeros((len(boxes), 4 + backbone.dim))
        block[:, :4] = boxes
        if found.any():
            block[found, 4:] = payload if backbone.in_worker else backbone.encode(payload)
        blocks.append(block)
        done(len(boxes))
    return np.concatenate(blocks)


def run_rendered_shard(
    album: pd.DataFrame, backbones: list[Backbone], done: Callable[[int], object]
) -> list[np.ndarray]:
    """Embeddings (n, D) of some rows of an album by every backbone: each face is rendered once, nothing is written.

    Raises
    ------
    InputError
        If a backbone asks for an alignment: rendered faces have none.
    """
    aligned = [backbone.name for backbone in backbones if backbone.alignment is not None]
    if aligned:
        raise InputError("backbone", f"{aligned[0]} aligns faces from files", "export them first: blindlib synth --out")
    frames = render(album, done=done)
    return [backbone.encode(shrink_frames(frames, backbone.size)) for backbone in backbones]


def _align_chunk(files: list[str], name: str, box: tuple | None) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4), and of the faces found the chips, or their embeddings where the network runs in the worker."""
    backbone = get_backbone(name)
    boxes, chips = np.full((len(files), 4), np.nan), []
    for row, file in enumerate(files):
        if backbone.alignment is None:
            chips.append(shrink(file, backbone.size))
            continue
        chip, used = align(file, backbone.alignment, box)
        if chip is not None:
            boxes[row] = used
            chips.append(chip)
    chips = np.stack(chips) if chips else np.empty((0, backbone.size, backbone.size, 3), np.uint8)
    return boxes, backbone.encode(chips) if backbone.in_worker and len(chips) else chips

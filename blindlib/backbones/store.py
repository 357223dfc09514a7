"""The work of an extraction, on all cores: shards of files -> boxes and embeddings."""

import hashlib
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from blindlib.backbones.alignment import align, decode, shrink
from blindlib.backbones.registry import Backbone, get_backbone
from blindlib.common.errors import InputError
from blindlib.common.work import cores, on_all_cores
from blindlib.synthfaces.render import render

_CHUNK = 8  # images that a worker takes at a time
_BATCH = 32  # aligned faces that a network takes at a time: a shard's batches keep eight cores, or a GPU, busy

Files = list[tuple[str, str]]  # path and SHA-256 of each image


def _die_with_parent() -> None:
    """Let no worker outlive a parent that was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


@contextmanager
def _workers(backbone: Backbone) -> Iterator[Executor]:
    """A pool on all cores: processes where faces are aligned, threads where images are only decoded.

    Processes are spawned, not forked: a fork after PyTorch has started its threads can hang.
    """
    if backbone.alignment is None:
        pool = ThreadPoolExecutor(cores())
    else:
        pool = ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn"), _die_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def row_type(dim: int) -> np.dtype:
    """A row of a shard: the box as shares of the padded frame (NaN where none was found or looked for), and x (D,)."""
    return np.dtype([("box", "<f8", 4), ("x", "<f4", dim)])


def run_shards(
    backbone: Backbone, shards: Iterable[Files], box: tuple | None, done: Callable[[int], object]
) -> Iterator[np.ndarray]:
    """Boxes and embeddings of some files, shard by shard; the next shard is aligned while one is encoded.

    Which faces a network sees together depends on the shard alone, never on who runs it or on how many cores.

    Parameters
    ----------
    backbone : Backbone
    shards : iterable of lists of (path, SHA-256)
    box : tuple of float or None
        The face's box for all of them; None detects.
    done : callable
        Called with the number of images just finished.

    Yields
    ------
    array (n,) of `row_type`
        One for each shard; x is 0 where no face was found.

    Raises
    ------
    InputError
        If an image is gone or holds other bytes.
    """
    begun: deque[list[Future]] = deque()
    with _workers(backbone) as pool:
        for files in shards:
            chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
            begun.append([pool.submit(_align_chunk, chunk, backbone.name, box) for chunk in chunks])
            if len(begun) == 2:
                yield _finish(backbone, begun.popleft(), done)
        while begun:
            yield _finish(backbone, begun.popleft(), done)


def _finish(backbone: Backbone, chunks: list[Future], done: Callable[[int], object]) -> np.ndarray:
    """The rows of a shard whose chunks are being aligned."""
    boxes, payloads = [], []
    while chunks:
        chunk = chunks.pop(0).result()  # popped: a finished chunk is kept by nobody else
        boxes.append(chunk[0])
        payloads.append(chunk[1])
        done(len(chunk[0]))
    boxes, payload = np.concatenate(boxes), np.concatenate(payloads)
    found = ~np.isnan(boxes[:, 0]) if backbone.alignment is not None else np.ones(len(boxes), bool)
    rows = np.zeros(len(boxes), row_type(backbone.dim))
    rows["box"] = boxes
    if len(payload):
        rows["x"][found] = payload if backbone.in_worker else _encode(backbone, payload)
    return rows


def _encode(backbone: Backbone, chips: np.ndarray) -> np.ndarray:
    """Embeddings (n, D) of a shard's chips, in batches that stay the same whatever the machine."""
    size = _CHUNK if backbone.alignment is None else _BATCH
    batches = [chips[start : start + size] for start in range(0, len(chips), size)]
    spread = map if torch.cuda.is_available() else on_all_cores
    return np.concatenate(list(spread(backbone.encode, batches)))


def run_rendered_shard(
    album: pd.DataFrame, backbones: list[Backbone], done: Callable[[int], object]
) -> list[np.ndarray]:
    """Rows (n,) of `row_type` of some rows of an album by every backbone: a face is rendered once, nothing is written.

    Raises
    ------
    InputError
        If a backbone asks for an alignment: rendered faces have none.
    """
    aligned = [backbone.name for backbone in backbones if backbone.alignment is not None]
    if aligned:
        raise InputError("backbone", f"{aligned[0]} aligns faces from files", "export them first: blindlib synth --out")
    frames, shards = render(album, done=done), []
    for backbone in backbones:
        rows = np.zeros(len(frames), row_type(backbone.dim))
        rows["box"], rows["x"] = np.nan, backbone.encode(np.stack([shrink(f, backbone.size) for f in frames]))
        shards.append(rows)
    return shards


def _align_chunk(files: Files, name: str, box: tuple | None) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4), and of the faces found the chips, or their embeddings where the network runs in the worker."""
    backbone = get_backbone(name)
    boxes, chips = np.full((len(files), 4), np.nan), []
    for row, (path, sha256) in enumerate(files):
        image = decode(BytesIO(_read_unchanged(path, sha256)))
        if backbone.alignment is None:
            chips.append(shrink(image, backbone.size))
            continue
        chip, used = align(image, backbone.alignment, box)
        if chip is not None:
            boxes[row] = used
            chips.append(chip)
    chips = np.stack(chips) if chips else np.empty((0, backbone.size, backbone.size, 3), np.uint8)
    if backbone.in_worker:
        return boxes, backbone.encode(chips) if len(chips) else np.empty((0, backbone.dim), np.float32)
    return boxes, chips


def _read_unchanged(path: str, sha256: str) -> bytes:
    """An image's bytes: those that the face table was made from, or InputError."""
    content = Path(path).read_bytes() if Path(path).is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(path, "is gone or has changed since notebook 01", "run 01_data_prep again: touch its notebook")
    return content

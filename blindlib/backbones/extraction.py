"""Run in worker processes: read images, align their faces, apply dlib's network.

This module does not import PyTorch, so a worker starts in half a second instead of ten.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from blindlib.backbones.alignment import Alignment, align, shrink
from blindlib.common.errors import InputError
from blindlib.common.pictures import read_picture
from blindlib.common.processes import end_with_parent


@contextmanager
def worker_pool(count: int, *, processes: bool = True) -> Iterator[Executor]:
    """Yield a pool of spawned processes, or of threads, that cancels pending work when its block ends.

    Processes are spawned, because a fork can hang once PyTorch has started threads. They end with the thread that
    started them. Raises InputError if one of them was killed from outside.
    """
    options = {"mp_context": get_context("spawn"), "initializer": end_with_parent, "initargs": (os.getpid(),)}
    pool = ProcessPoolExecutor(count, **options) if processes else ThreadPoolExecutor(count)
    try:
        yield pool
    except BrokenProcessPool:
        remedy = "free some memory and run again: finished shards are kept"
        raise InputError("worker processes", "one of them was ended from outside", remedy) from None
    finally:
        pool.shutdown(cancel_futures=True)


def align_files(
    files: list[tuple[str, str]],
    size: int,
    window: tuple | None,
    alignment: Alignment | None,
    box: tuple | None,
    encode: Callable | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Align the faces of N image files, or embed them too by `encode`.

    Each file is a path and its expected SHA-256. Without `alignment` the whole image or its window is used. Returns the
    boxes (N, 4) as in `align`, NaN without a detected face or without `alignment`, and for the n faces found the
    aligned ones (n, size, size, 3), or their output of `encode`.

    Raises
    ------
    InputError
        If an image is absent or its bytes have changed.
    """
    boxes, chips = np.full((len(files), 4), np.nan), []
    for row, (path, sha256) in enumerate(files):
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            remedy = "run 01_data_prep again: delete the run's 01_data_prep.ipynb in build/, then `make paper`"
            raise InputError(path, "is gone or has changed since notebook 01", remedy)
        image = read_picture(BytesIO(content), path)
        if alignment is None:
            chips.append(shrink(image, size, window))
            continue
        chip, used = align(image, alignment, box)
        if chip is not None:
            boxes[row] = used
            chips.append(chip)
    chips = np.stack(chips) if chips else np.empty((0, size, size, 3), np.uint8)
    return boxes, encode(chips) if encode else chips

"""What worker processes do: read images, align their faces, run dlib's network.

Nothing here imports PyTorch, so that a worker starts in half a second and not in ten.
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
    """A pool of spawned processes, or of threads, that drops the work not yet begun when its block is left.

    Processes are spawned, not forked: a fork after PyTorch has started its threads can hang. They end with the thread
    that started them. Raises InputError if one of them was ended from outside.
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

    Each file is a path and the SHA-256 that it must have; without `alignment` it is taken whole, or its window. Returns
    the boxes (N, 4) as in `align`, NaN where no face was found or looked for, and of the n faces found the aligned ones
    (n, size, size, 3), or what `encode` gives for them.

    Raises
    ------
    InputError
        If an image is gone or holds other bytes.
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

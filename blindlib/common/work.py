"""How work is done: seeds derived from what they are for, all cores used without changing a byte, progress shown."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from tqdm import tqdm


def cores() -> int:
    """How many cores this process may use: its share of the machine where torchrun started several processes."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def on_all_cores(work: Callable, items: Iterable) -> list:
    """The work's result for each item, in order: one thread a core, each with single-threaded tensor operations.

    Small operations gain nothing from several threads, and a convolution that two threads share may sum in another
    order than one thread does: the result must not depend on the machine's cores or on torchrun's OMP_NUM_THREADS.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)


def track(
    items: Iterable, what: str, *, total: int | None = None, initial: int = 0, unit: str = "step", shown: bool = True
) -> tqdm:
    """Iterate with a progress bar on stderr: 80 columns, redrawn at most once a second, so that it fills no log.

    `what` stands before the bar. `total` is the number of items where `items` has no length, `initial` how many of them
    were done before, and `unit` what one item is: the bar shows units per second.
    """
    options = {"ncols": 80, "mininterval": 1.0, "file": sys.stderr, "disable": not shown}
    return tqdm(items, desc=what, total=total, initial=initial, unit=unit, **options)


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from (seed, stage, …): the same parts give the same seed on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1

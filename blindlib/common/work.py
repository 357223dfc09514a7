"""How work is done: seeds derived from what they are for, all cores used without changing a byte, progress shown."""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from blindlib.common.errors import InputError, reason
from blindlib.common.processes import end_with_parent


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
        with (
            threadpool_limits(1),
            ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)


def spread(work: Callable, items: Iterable) -> list:
    """As `on_all_cores`, or on several machines: by joblib, on the backend that BLINDLIB_SCHEDULER names.

    `loky` is processes of this machine; `ray` is that of ray; the address of a dask scheduler, as
    `tcp://host:8786`, stands for its workers. The bytes are the same everywhere: each item is worked on by one thread
    of tensor and matrix operations. What `work` holds is sent to the workers, so it must not write to it.

    Raises
    ------
    InputError
        If it is none of these (others leave workers behind when their parent is killed), or no scheduler answers.
    """
    name = os.environ.get("BLINDLIB_SCHEDULER", "")
    if not name:
        return on_all_cores(work, items)
    try:
        if name not in ("loky", "ray") and "://" not in name:
            raise ValueError("there is no such one here")
        if name == "ray":
            importlib.import_module("ray.util.joblib").register_ray()
        options = {"backend": "dask", "scheduler_host": name} if "://" in name else {"backend": name}
        if name == "loky":  # its workers outlive the thread that asks first
            options |= {"initializer": end_with_parent, "initargs": (os.getpid(), False)}
        with parallel_config(**options, n_jobs=-1):
            pool = Parallel()
    except (ImportError, ValueError, OSError) as error:
        problem = f"{name!r} is no scheduler that answers ({reason(error, 80)})"
        raise InputError("BLINDLIB_SCHEDULER", problem, "use loky, ray or a dask scheduler's tcp://host:port") from None
    return pool(delayed(_alone)(work, item) for item in items)


def _alone(work: Callable, item):
    """The work's result in a process of its own, by single-threaded operations."""
    return on_all_cores(work, [item])[0]


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

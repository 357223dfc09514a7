"""Run work on all cores with reproducible bytes: derived seeds, parallel maps, progress bars."""

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
    """Return the number of cores for this process: its share where torchrun started several processes."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def on_all_cores(work: Callable, items: Iterable) -> list:
    """Map work over items, in order: one thread a core, each with single-threaded tensor operations.

    Several threads do not speed up small operations, and a convolution split over two threads may sum in another order.
    The result must not depend on the number of cores or on torchrun's OMP_NUM_THREADS.
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
    """Map work over items as `on_all_cores`, or on several machines, by the joblib backend in BLINDLIB_SCHEDULER.

    `loky` uses processes of this machine, `ray` a ray cluster, and an address such as `tcp://host:8786` the workers of
    a dask scheduler. The bytes are the same everywhere: each item runs on one thread of tensor and matrix operations.
    `work` is copied to the workers, so it must not modify its data.

    Raises
    ------
    InputError
        If the backend is another one (others leave workers behind when their parent is killed), or does not answer.
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
        if name == "loky":  # its workers outlive the thread that starts them
            options |= {"initializer": end_with_parent, "initargs": (os.getpid(), False)}
        with parallel_config(**options, n_jobs=-1):
            pool = Parallel()
    except (ImportError, ValueError, OSError) as error:
        problem = f"{name!r} is no scheduler that answers ({reason(error, 80)})"
        raise InputError("BLINDLIB_SCHEDULER", problem, "use loky, ray or a dask scheduler's tcp://host:port") from None
    return pool(delayed(_alone)(work, item) for item in items)


def _alone(work: Callable, item):
    """Run work on one item in its own process, by single-threaded operations."""
    return on_all_cores(work, [item])[0]


def track(
    items: Iterable, what: str, *, total: int | None = None, initial: int = 0, unit: str = "step", shown: bool = True
) -> tqdm:
    """Iterate with a progress bar on stderr: 80 columns, redrawn at most once a second to keep logs short.

    The bar begins with `what` and shows `unit`s per second. `total` is the number of items where `items` has no length,
    and `initial` the number done before.
    """
    options = {"ncols": 80, "mininterval": 1.0, "file": sys.stderr, "disable": not shown}
    return tqdm(items, desc=what, total=total, initial=initial, unit=unit, **options)


def derive_seed(*parts: object) -> int:
    """Derive a 63-bit seed from (seed, stage, …); it is the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1

"""The cores of this process, and work spread over them so that their number changes no byte."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch


def cores() -> int:
    """How many cores this process may use: its share of the machine where torchrun started several processes."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def on_all_cores(work: Callable, items: Iterable) -> list:
    """The work's result for each item, in order: one thread a core, each with single-threaded tensor operations.

    Small operations gain nothing from sharing one, and a convolution that two threads share may sum in another order
    than one thread does: the result must not depend on the machine's cores or on torchrun's OMP_NUM_THREADS.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, items))
    finally:
        torch.set_num_threads(threads)

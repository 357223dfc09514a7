"""Processes end when they should: none outlives its parent, and Ctrl-C ends a command by one line.

The command line asks for it before all else, so it imports next to nothing.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

INTERRUPTED = "interrupted: nothing is left half-written; run the same command again"
_LOOK = 0.5  # seconds from one look at the parent to the next
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int | None = None, at_once: bool = True) -> None:
    """Let this process end when the one that started it is gone, however that ended.

    A thread looks twice a second. With `at_once`, on Linux, the system kills it in the same moment, even while native
    code keeps Python's threads from running; but also when only the *thread* that started it has ended.

    Parameters
    ----------
    parent : int, optional
        The process id that the parent must have, else this process ends; by default that of the present parent.
    at_once : bool
        False where a thread starts processes that outlive it.
    """
    parent = os.getppid() if parent is None else parent
    if at_once and sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


def kernel_arguments(notebook: Path | None = None) -> list[str]:
    """Give the arguments of a kernel that ends with this process and imports ahead for a notebook."""
    first = f'__import__("{__name__}", fromlist=["begin_kernel"]).begin_kernel({os.getpid()}, {str(notebook or "")!r})'
    return [f"--IPKernelApp.exec_lines={first}"]


def begin_kernel(parent: int, notebook: str = "") -> None:
    """Let a kernel end with its parent, and close the port that ipykernel has for the output of forked processes.

    Then import what the notebook imports, into no namespace: a kernel that waits for its turn is warm when it comes.
    """
    from ipykernel.kernelapp import IPKernelApp

    end_with_parent(parent)
    output = IPKernelApp.instance().iopub_thread
    if pipe := getattr(output, "_pipe_in", None):
        output._pipe_flag = False
        output.io_loop.add_callback(pipe.close)
    if notebook:
        _import_ahead(Path(notebook))


def _import_ahead(notebook: Path) -> None:
    """Import what a notebook's cells import; what does not import fails in its own cell."""
    import ast
    import json

    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for source in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
        with suppress(Exception):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(node), {})


@contextmanager
def one_line_when_interrupted() -> Iterator[None]:
    """Let Ctrl-C print one line and end the process with exit code 130, whatever its other threads do."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\n{INTERRUPTED}", file=sys.stderr, flush=True)
        os._exit(130)

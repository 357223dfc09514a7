"""End processes on time: with their parent, or by one line on Ctrl-C.

The command line imports this module first, so it imports very little.
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
_LOOK = 0.5  # seconds between checks of the parent
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int | None = None, at_once: bool = True) -> None:
    """End this process when its parent has ended for any reason.

    A thread checks twice a second. With `at_once`, on Linux, the system kills the process immediately, even while
    native code blocks Python's threads; but it also does so when only the parent's *thread* has ended.

    Parameters
    ----------
    parent : int, optional
        The expected process id of the parent, else this process ends; by default that of the present parent.
    at_once : bool
        False where a thread starts processes that outlive the thread.
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
    """Return the arguments of a kernel that ends with this process and imports a notebook's modules in advance."""
    first = f'__import__("{__name__}", fromlist=["begin_kernel"]).begin_kernel({os.getpid()}, {str(notebook or "")!r})'
    return [f"--IPKernelApp.exec_lines={first}"]


def begin_kernel(parent: int, notebook: str = "") -> None:
    """End a kernel with its parent, and close ipykernel's port for the output of forked processes.

    Then import the notebook's modules, into no namespace, so that a waiting kernel is ready to start.
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
    """Import the modules of a notebook's cells; an import that fails is reported by its own cell."""
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
    """Print one line on Ctrl-C and end the process with exit code 130, whatever its other threads do."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\n{INTERRUPTED}", file=sys.stderr, flush=True)
        os._exit(130)

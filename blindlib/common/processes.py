"""Processes end when they should: none outlives its parent, and Ctrl-C ends a command within 2 s by one line.

The command line asks for it before all else, so it imports next to nothing: until it is here, Ctrl-C shows a traceback.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = "interrupted: nothing is left half-written; run the same command again"
_LOOK = 0.5  # seconds from one look at the parent to the next
_TIDY = 0.8  # seconds that an interrupted command has to tidy up
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int | None = None, at_once: bool = True) -> None:
    """Let this process end when the one that started it is gone, however that ended.

    A thread looks twice a second. With `at_once`, on Linux, the system kills it in the same moment, even while native
    code keeps Python's threads from running; but also when only the *thread* that started it has ended.

    Parameters
    ----------
    parent : int, optional
        The process id that the parent must have, else this process ends; by default that of the present parent. Where
        make was started by another make (Linux), both are watched.
    at_once : bool
        False where a thread starts processes that outlive it.
    """
    line = _line() if parent is None else (parent,)
    if at_once and sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != line[0]:
        os._exit(1)
    threading.Thread(target=_watch, args=(line,), daemon=True).start()


def kernel_arguments() -> list[str]:
    """What a notebook's kernel is started with, so that it ends with this process and keeps no port open."""
    first = f'__import__("{__name__}", fromlist=["begin_kernel"]).begin_kernel({os.getpid()})'
    return [f"--IPKernelApp.exec_lines={first}"]


def begin_kernel(parent: int) -> None:
    """Let a kernel end with its parent, and close the port that ipykernel has for the output of forked processes."""
    from ipykernel.kernelapp import IPKernelApp

    end_with_parent(parent)
    output = IPKernelApp.instance().iopub_thread
    if pipe := getattr(output, "_pipe_in", None):
        output._pipe_flag = False
        output.io_loop.add_callback(pipe.close)


def _watch(line: tuple[int, ...]) -> None:
    while (_line() if len(line) > 1 else (os.getppid(),)) == line:
        time.sleep(_LOOK)
    os._exit(1)


def _line() -> tuple[int, ...]:
    """The parent and, where that is a make that another make started, the makes above (Linux)."""
    line = [os.getppid()]
    with suppress(OSError):
        while _name(line[-1]) == "make" and _name(above := _parent_of(line[-1])) == "make":
            line.append(above)
    return tuple(line)


def _name(process: int) -> str:
    return _told(process).partition("(")[2].rpartition(")")[0]


def _parent_of(process: int) -> int:
    return int(_told(process).rpartition(")")[2].split()[1])


def _told(process: int) -> str:
    with open(f"/proc/{process}/stat") as stream:  # noqa: PTH123
        return stream.read()


@contextmanager
def starting_workers() -> Iterator[None]:
    """Start processes here that Ctrl-C does not reach: they end with their parent, without a word of their own.

    What this process is sent meanwhile arrives afterwards. The resource tracker of multiprocessing, or of loky, that
    starts here cleans up after a parent that was ended and does not complain.
    """
    before, warned = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}), os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (warned, "ignore:resource_tracker")))
    for name in ("multiprocessing", "joblib.externals.loky.backend"):
        if tracker := sys.modules.get(f"{name}.resource_tracker"):
            tracker.ensure_running()
    # Once more, for where a tracker starts it lets Ctrl-C through.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        os.environ.pop("PYTHONWARNINGS") if warned is None else os.environ.update(PYTHONWARNINGS=warned)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def one_line_when_interrupted() -> Iterator[None]:
    """Let the first Ctrl-C print one line, nothing after it, and end the process with exit code 130 within 2 s.

    What runs inside gets a KeyboardInterrupt, except in an import, and 0.8 s to remove its temporary files. A thread
    ends the process then, even if the main thread is in native code. Where another handler than Python's own works,
    nothing changes.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    telling, said, raised = threading.RLock(), [], []
    read, write = os.pipe()
    os.set_blocking(write, False)

    def tell() -> None:
        with telling:  # whoever comes second waits until it is said
            if said:
                return
            said.append(True)
            bars = getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "_instances", ())
            os.write(2, f"{chr(10) if os.isatty(2) or len(bars) else ''}{INTERRUPTED}\n".encode())
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1), os.dup2(nowhere, 2)

    def handle(_, frame) -> None:
        tell()
        if not raised and not _imports(frame):  # a second Ctrl-C must not stop the tidying up
            raised.append(True)
            raise KeyboardInterrupt

    def watch() -> None:
        while signal.SIGINT not in os.read(read, 64):
            pass
        tell()
        time.sleep(_TIDY)
        os._exit(130)

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGINT, handle)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        if said:
            tell()  # returns once the line is out
            os._exit(130)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being imported: native code that starts may abort where an exception reaches it."""
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def in_a_thread(work: Callable):
    """The work's result or its exception, from a thread of its own, where no library can take over Ctrl-C."""
    from concurrent.futures import Future

    future = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result()

"""The one error that bad input raises: which file, what is wrong, what to do."""

import errno
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ELSEWHERE = "another folder (BLINDLIB_DATA, BLINDLIB_BUILD, BLINDLIB_FIGURES)"
_IN_THE_WAY = f"a file lies where a folder is needed, or a folder where a file is: move it away, or use {_ELSEWHERE}"
_REMEDIES = {  # what the reader does about what the system refuses
    errno.ENOSPC: "free some space and run the same command again: it goes on where it stopped",
    errno.EDQUOT: "free some of your quota and run the same command again: it goes on where it stopped",
    errno.EFBIG: "this file system takes no file of that size: use another one (BLINDLIB_DATA, BLINDLIB_BUILD)",
    errno.EROFS: f"this disk is read-only: use {_ELSEWHERE}",
    errno.EACCES: f"give yourself the right to it, or use {_ELSEWHERE}",
    errno.EPERM: f"give yourself the right to it, or use {_ELSEWHERE}",
    errno.EIO: "see that the disk is whole and not full, and run the same command again: it goes on where it stopped",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOENT: "check the name",
    errno.ELOOP: "it is a link that leads to itself: name what it should lead to",
    errno.ENAMETOOLONG: "take a shorter name",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)


class InputError(ValueError):
    """Bad input from outside, in one line.

    `where` is the file or the setting that is wrong, `problem` what was expected and what came, `remedy` what the
    reader does about it; `line` is the number of the line inside the file, from 1.
    """

    def __init__(self, where: Path | str, problem: str, remedy: str, *, line: int | None = None):
        super().__init__(where, problem, remedy)  # Python rebuilds an error from these when it leaves a worker process
        self.line = line

    def __str__(self) -> str:
        where, problem, remedy = self.args
        place = where if self.line is None else f"{where}:{self.line}"
        line = f"{place}: {problem} → {remedy}"  # names may hold line ends, NUL, or bytes that are no UTF-8
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def reason(error: BaseException, length: int = 90) -> str:
    """The first line of what an error says, or its type's name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:length]


def explain(error: OSError | MemoryError | InputError) -> InputError:
    """What the operating system refused, as the one line that bad input gets; of a full disk also what is free."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, MemoryError):
        return InputError("memory", "does not suffice", "ask for less, or take a machine that has more")
    remedy = _REMEDIES.get(error.errno, "run it again; with `blindlib --debug …` it shows where it happened")
    problem = error.strerror or " ".join(map(str, error.args)) or type(error).__name__
    if error.errno in _FULL and error.filename:
        there = next((folder for folder in Path(error.filename).absolute().parents if folder.is_dir()), Path("/"))
        problem += f" ({in_bytes(shutil.disk_usage(there).free)} are free)"
    return InputError(error.filename or "file system", problem, remedy)


@contextmanager
def foreseen_in_one_line() -> Iterator[None]:
    """Let bad input, what the system refuses and a lack of memory end the process by one line and exit code 1.

    With `--debug` on the command line they show a traceback, as what nobody foresaw does always.
    """
    try:
        yield
    except (InputError, OSError, MemoryError) as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(1)


def in_bytes(size: float) -> str:
    """A number of bytes in words: `1.6 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"

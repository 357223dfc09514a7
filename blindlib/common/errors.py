"""The one error that bad input raises: which file, what is wrong, what to do."""

import errno
from pathlib import Path

_REMEDIES = {  # what the reader does about what the system refuses
    errno.ENOSPC: "free some space and run the same command again: it goes on where it stopped",
    errno.EDQUOT: "free some of your quota and run the same command again: it goes on where it stopped",
    errno.EFBIG: "this file system takes no file of that size: use another one (BLINDLIB_DATA, BLINDLIB_BUILD)",
    errno.EROFS: "use a folder that can be written (BLINDLIB_DATA, BLINDLIB_BUILD)",
    errno.EACCES: "give yourself the right to it, or use another folder (BLINDLIB_DATA, BLINDLIB_BUILD)",
    errno.ENOENT: "check the name",
    errno.ELOOP: "it is a link that leads to itself: name what it should lead to",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EPERM: "give yourself the right to it, or use another folder (BLINDLIB_DATA, BLINDLIB_BUILD)",
}


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


def explain(error: OSError) -> InputError:
    """What the operating system refused, as the one line that bad input gets."""
    remedy = _REMEDIES.get(error.errno, "run it again; with `blindlib --debug …` it shows where it happened")
    return InputError(error.filename or "file system", error.strerror or str(error), remedy)

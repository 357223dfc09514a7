"""Define the error of bad input, which names the file, the problem and the remedy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Report bad input in one line.

    `where` is the file or setting, `problem` says what was expected and found, `remedy` says what the user can do, and
    `line` is the line number in the file, from 1.
    """

    def __init__(self, where: Path | str, problem: str, remedy: str, *, line: int | None = None):
        super().__init__(where, problem, remedy)  # arguments from which Python rebuilds the error of a worker process
        self.line = line

    def __str__(self) -> str:
        where, problem, remedy = self.args
        place = where if self.line is None else f"{where}:{self.line}"
        return " ".join(f"{place}: {problem} → {remedy}".split())


def reason(error: BaseException, length: int = 90) -> str:
    """Return the first line of an error's message, or the name of its type if there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:length]


@contextmanager
def foreseen_in_one_line() -> Iterator[None]:
    """End the process by one line and exit code 1 on bad input or an error of the operating system.

    With `--debug` on the command line these show a traceback, as all other errors always do.
    """
    try:
        yield
    except (InputError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def in_bytes(size: float) -> str:
    """Format a number of bytes: `1.6 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"

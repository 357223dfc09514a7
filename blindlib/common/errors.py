"""The one error that bad input raises: which file, what is wrong, what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        return " ".join(f"{place}: {problem} → {remedy}".split())


def reason(error: BaseException, length: int = 90) -> str:
    """The first line of what an error says, or its type's name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:length]


@contextmanager
def foreseen_in_one_line() -> Iterator[None]:
    """Let bad input, and what the operating system refuses, end the process by one line and exit code 1.

    With `--debug` on the command line they show a traceback, as what nobody foresaw does always.
    """
    try:
        yield
    except (InputError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def in_bytes(size: float) -> str:
    """A number of bytes in words: `1.6 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"

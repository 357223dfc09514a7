"""The one error that bad input raises: which file, what is wrong, what to do."""

from pathlib import Path


class InputError(ValueError):
    """Bad input from outside, told in one line.

    Parameters
    ----------
    where : path or str
        The file (or setting) that is wrong.
    problem : str
        What was expected and what came.
    remedy : str
        What the reader does about it.
    line : int, optional
        1-based line number inside the file.
    """

    def __init__(self, where: Path | str, problem: str, remedy: str, *, line: int | None = None):
        super().__init__(where, problem, remedy)  # Python rebuilds an error from these when it leaves a worker process
        self.line = line

    def __str__(self) -> str:
        where, problem, remedy = self.args
        place = where if self.line is None else f"{where}:{self.line}"
        return f"{place}: {problem} → {remedy}"

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
        place = f"{where}:{line}" if line is not None else f"{where}"
        super().__init__(f"{place}: {problem} → {remedy}")

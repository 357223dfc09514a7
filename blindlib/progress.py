"""One progress bar for everything that takes longer than two seconds."""

import sys
from collections.abc import Iterable

from tqdm import tqdm


def track(
    items: Iterable, what: str, *, total: int | None = None, initial: int = 0, unit: str = "step", shown: bool = True
) -> tqdm:
    """Iterate with a bar on stderr: 80 columns, redrawn at most once a second, gone from no log.

    Parameters
    ----------
    items : iterable
    what : str
        The words before the bar.
    total : int, optional
        How many items, where `items` has no length.
    initial : int
        How many of them were done before.
    unit : str
        What one item is; the bar then shows unit/s.
    shown : bool
        False draws nothing.
    """
    options = {"ncols": 80, "mininterval": 1.0, "file": sys.stderr, "disable": not shown}
    return tqdm(items, desc=what, total=total, initial=initial, unit=unit, **options)

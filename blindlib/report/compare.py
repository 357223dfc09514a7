"""Compare a fresh run with the committed tables, for `make check`."""

from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256

KEYS = ("id", "column", "domain", "representation", "training")  # the columns that identify a row, where present
HALF_WIDTHS = {  # each number with the column of its half-width
    "table1.csv": {"mean": "half_width", "diff": "diff_half_width"},
    "table2.csv": {name: f"{name}_hw" for name in ("acc", "tpr_smiling", "tpr_not_smiling", "eq_opp")},
}
FLOOR = 0.5  # percentage points: the least tolerance, for the last bits of another processor


def compare_figures(committed: Path, fresh: Path) -> tuple[list[str], bool]:
    """Compare two folders of tables.

    The same machine writes the same bytes. On another one, sums in another order train slightly different heads: a
    number may differ by the half-width of its committed interval, or by `FLOOR` where that is narrower. Verdicts of
    claims must be the same.

    Returns the lines to print (each difference beyond the tolerance, then a summary) and whether there is such a
    difference. Raises InputError if a table is missing on either side, or damaged.
    """
    lines = []
    for name, half_widths in HALF_WIDTHS.items():
        old, new = _read(committed / name), _read(fresh / name)
        gone = [" ".join(map(str, key)) for key in old.index.symmetric_difference(new.index)]
        lines += [f"{name}: only one of the two has the row {row}" for row in gone]
        both = old.index.intersection(new.index)
        for column, width in half_widths.items():
            a, b = old.loc[both, column], new.loc[both, column]
            allowed = old.loc[both, width].fillna(0).clip(lower=FLOOR)
            beyond = ((a - b).abs() > allowed) | (a.isna() != b.isna())
            lines += [
                f"{name}: {' '.join(map(str, key))} {column} is {b[key]:g}, was {a[key]:g} ± {allowed[key]:g}"
                for key in both[beyond.to_numpy()]
            ]
    was, now = (_read(path / "claims.csv")["verdict"] for path in (committed, fresh))
    was, now = was.align(now, fill_value="absent")
    moved = was.index[was != now]
    lines += [f"claims.csv: {' '.join(key)} is {now[key]}, was {was[key]}" for key in moved]
    files = sorted(path.name for path in committed.glob("*.csv"))
    same = [name for name in files if (fresh / name).exists() and sha256(committed / name) == sha256(fresh / name)]
    summary = f"{len(same)} of {len(files)} tables are the same bytes; {len(lines)} differences beyond the tolerance"
    return [*lines, summary], bool(lines)


def compare_budget(figures: Path, other: pd.DataFrame, column: str) -> pd.DataFrame:
    """Compare Table 1 in `figures` with `other`, a run with more training or more subjects.

    Returns a row for each cell that both have: `mean` and `half_width` of the smaller run, the other's mean as
    `column`, `moved`, and `stays`: whether it moved by at most half its half-width. Raises InputError if `figures` has
    no table.
    """
    old, new = _read(figures / "table1.csv"), other.set_index([key for key in KEYS if key in other])
    old = old.loc[old.index.intersection(new.index)]
    table = old[["mean", "half_width"]].join(new["mean"].rename(column)).reset_index()
    table[column] = table[column].round(2)
    table["moved"] = (table[column] - table["mean"]).round(2)
    table["stays"] = table["moved"].abs() <= (table["half_width"] / 2).round(2)
    return table[["domain", "representation", "mean", "half_width", column, "moved", "stays"]]


def _read(path: Path) -> pd.DataFrame:
    remedy = "run `make paper` with the same PRESET first"
    if not path.exists():
        raise InputError(path, "no such table", remedy)
    numbers = {column for pair in HALF_WIDTHS.get(path.name, {}).items() for column in pair}
    try:
        frame = pd.read_csv(path).replace({np.inf: np.nan})
        frame = frame.astype(dict.fromkeys(numbers, float), errors="raise")
        if path.name == "claims.csv" and not {"verdict", "column"} <= set(frame):
            raise ValueError("it has no column 'verdict', or no 'column'")
        frame = frame.set_index([key for key in KEYS if key in frame]).sort_index()
        if frame.index.has_duplicates:
            raise ValueError("it has two rows of one name")
        return frame
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        message = " ".join(str(error).split())[:90]
        raise InputError(path, f"does not read as a table ({message})", remedy) from None

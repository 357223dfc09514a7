"""Lists and tables of text, bounded: what would fill the memory is refused before it is cut into cells."""

import csv
from io import StringIO
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError, reason
from blindlib.common.reading import require_file

BYTES, LINES = 1 << 27, 3_000_000  # of a list or table, at most: CelebA's longest has 26 MB and 202,601 lines
COLUMNS, CELLS = 1024, 20_000_000  # LFW's scores have 75 columns
_RIGHT = "check that it is the right file, or split it"


def read_text(path: Path, what: str, remedy: str, lines: int = LINES) -> str:
    """The text of a file of at most so many lines. Raises InputError if it is absent, larger, or not UTF-8."""
    try:
        text = require_file(path, what, remedy, max(BYTES, 256 * lines)).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(path, "is not UTF-8 text", "fetch the file again, or save it as UTF-8") from None
    if text.count("\n") > lines:
        raise InputError(path, f"has {text.count(chr(10)):,} lines, {lines:,} at most", _RIGHT)
    return text


def read_labels(path: Path, what: str, remedy: str, rows: int) -> pd.DataFrame:
    """A CSV file of about so many rows, every cell text, "NA" too. Raises InputError as `parse_table`."""
    return parse_table(path, read_text(path, what, remedy, lines=max(LINES, 2 * rows)), keep_default_na=False)


def parse_table(path: Path, text: str, **options) -> pd.DataFrame:
    """The table in a CSV file's text, every cell text; `options` are of pandas' `read_csv`.

    Raises
    ------
    InputError
        If it is no table, or has columns of one name or more cells than the memory should take.
    """
    require_narrow(path, text)
    try:
        header = csv.reader(StringIO(text))
        names = next(filter(None, header), [])
        require_room(path, names, text)
        if len(set(names)) < len(names):
            raise InputError(path, "has two columns of one name", "rename one of them", line=header.line_num)
        table = pd.read_csv(StringIO(text), dtype=str, **options)
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(path, f"does not read as a table ({reason(error)})", "mend that line") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas would take the first cells for the rows' names
        raise InputError(path, "has more cells in its lines than names in its first line", "mend that line", line=1)
    return table


def require_room(path: Path, names: list[str], text: str) -> None:
    """Raise InputError if a table with these columns would have more cells than the memory should take."""
    lines = text.count("\n") + 1
    if len(names) > COLUMNS or len(names) * lines > CELLS:
        raise InputError(path, f"has {len(names):,} columns in {lines:,} lines, {CELLS:,} cells at most", _RIGHT)


def require_narrow(path: Path, text: str) -> None:
    """Raise InputError if a line has more cells than any table of ours, before it is cut into them."""
    for line, row in enumerate(StringIO(text), 1):
        if row.count(",") >= COLUMNS:
            raise InputError(path, f"has more than {COLUMNS:,} columns", _RIGHT, line=line)

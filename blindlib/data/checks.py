"""What every loader asks of its files: that they are there, inside their folder, and images that decode."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import StringIO
from pathlib import Path

import pandas as pd
from PIL import Image

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.common.work import track

ABSENT = 0.01  # share of a list's files that may be absent: they are counted; more is another folder or half a download


def require_file(path: Path, what: str, remedy: str) -> Path:
    """Return the path of a non-empty file.

    Raises
    ------
    InputError
        If it is absent or empty.
    """
    if not path.is_file():
        raise InputError(path, f"{what} not found", remedy)
    if path.stat().st_size == 0:
        raise InputError(path, f"{what} is empty (0 bytes)", remedy)
    return path


def read_text(path: Path) -> str:
    """A file's UTF-8 text. Raises InputError if it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(path, "is not UTF-8 text", "fetch the file again, or save it as UTF-8") from None


def read_csv(path: Path, **options) -> pd.DataFrame:
    """`pandas.read_csv` with every cell a string. Raises InputError for a file that is no table."""
    try:
        return pd.read_csv(StringIO(read_text(path)), dtype=str, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            path, f"does not read as a table ({str(error).splitlines()[0][:90]})", "mend that line"
        ) from None


def require_columns(path: Path, found: list[str], wanted: list[str]) -> None:
    """Raise InputError unless every wanted column is among those found."""
    missing = [column for column in wanted if column not in found]
    if missing:
        raise InputError(
            path,
            f"lacks the columns {missing}; its first line has {list(found)[:8]}",
            "give it the header that DATA.md shows",
            line=1,
        )


def inside(root: Path, relative: str, source: Path, line: int) -> str:
    """Return a relative path in POSIX form that stays below `root`, links followed.

    Raises
    ------
    InputError
        If it is absolute or leaves the folder.
    """
    path = Path(relative)
    target = _resolved(root / path.parent) / path.name
    if target.is_symlink() or path.name == "..":
        target = target.resolve()
    if path.is_absolute() or not target.is_relative_to(_resolved(root)):
        raise InputError(
            source, f"path {relative!r} leaves the data folder {root}", "name files below that folder only", line=line
        )
    return path.as_posix()


@lru_cache(maxsize=4096)
def _resolved(folder: Path) -> Path:
    """A folder with its links followed; remembered, as a list names thousands of files in each."""
    return folder.resolve()


def check_image(path: Path) -> str:
    """Decode one image wholly and return its SHA-256.

    Raises
    ------
    InputError
        If the file is absent, empty, truncated or no image.
    """
    require_file(path, "image", "fetch the data set again, or take the row out of its list")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = str(error).split(":")[0].replace(f" '{path}'", "").splitlines()[0]
        raise InputError(
            path, f"does not decode as an image ({reason})", "fetch this file again or remove it"
        ) from None
    return sha256(path)


def check_images(root: Path, images: list[str]) -> pd.Series:
    """SHA-256 of every image, each one decoded to be sure; stops at the first that fails.

    Parameters
    ----------
    root : Path
    images : list of str
        Paths below root.

    Returns
    -------
    Series of str, in the order of `images`.
    """
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda image: check_image(root / image), images)
        return pd.Series(list(track(results, "checking images", total=len(images), unit="image")), dtype=str)


def refuse_repeats(path: Path, values: list[str], what: str, lines: list[int]) -> None:
    """Raise InputError with the line of the first value that stands twice."""
    repeated = pd.Series(values, dtype=str).duplicated()
    if repeated.any():
        row = int(repeated.idxmax())
        raise InputError(path, f"repeats the {what} {values[row]!r}", "keep one line of the two", line=lines[row])


def refuse_unknown(path: Path, column: pd.Series, allowed: tuple[str, ...]) -> None:
    """Raise InputError with the line of the first value outside the vocabulary; a missing value passes."""
    wrong = column.notna() & ~column.isin(allowed)
    if wrong.any():
        row = int(wrong.idxmax())
        raise InputError(path, f"{column.name} is {column[row]!r}", f"use one of {', '.join(allowed)}", line=row + 2)


def keep_present(root: Path, rows: pd.DataFrame, listing: Path, remedy: str) -> tuple[pd.DataFrame, dict]:
    """Rows of a list whose files are there; a few absent ones are counted, many stop.

    Parameters
    ----------
    root : Path
        The folder that `image` starts from.
    rows : DataFrame
        `image`, and `line` (where the list names it).
    listing : Path
        The list, for the message.
    remedy : str

    Returns
    -------
    rows : DataFrame
        Of the files that are there, without `line`.
    notes : dict
        `listed`, `absent`.

    Raises
    ------
    InputError
        If the share of absent files is above `ABSENT`, or nothing is there.
    """
    here = rows["image"].map(lambda image: (root / image).is_file()).to_numpy(bool)
    gone = len(rows) - int(here.sum())
    if not len(rows):
        raise InputError(listing, "names no file", remedy)
    if gone > ABSENT * len(rows):
        first = rows[~here].iloc[0]
        raise InputError(
            listing,
            f"names {first['image']}, absent from {root}; in all {gone:,} of {len(rows):,} files are "
            f"(at most {ABSENT:.0%} may be)",
            remedy,
            line=int(first["line"]),
        )
    return rows[here].drop(columns="line").reset_index(drop=True), {"listed": len(rows), "absent": gone}

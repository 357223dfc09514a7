"""What every loader asks of its files: that they are there, inside their folder, and images that decode."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pandas as pd
from PIL import Image

from blindlib.errors import InputError
from blindlib.files import sha256
from blindlib.progress import track


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
    except pd.errors.ParserError as error:
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
    target = (root / relative).resolve()
    if Path(relative).is_absolute() or not target.is_relative_to(root.resolve()):
        raise InputError(
            source, f"path {relative!r} leaves the data folder {root}", "name files below that folder only", line=line
        )
    return Path(relative).as_posix()


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

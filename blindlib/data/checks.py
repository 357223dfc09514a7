"""What every reader asks of its files: that they are there, inside their folder, without a wrong line or image."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.common.pictures import read_picture
from blindlib.common.texts import parse_table, read_text
from blindlib.common.work import track

ABSENT = 0.01  # share of a list's files that may be absent: they are counted; more is another folder or half a download


@dataclass(frozen=True)
class Listing:
    """A file that names images or labels."""

    path: Path
    rows: pd.DataFrame  # text; the index is the line of the file, from 1
    remedy: str  # for the checks that know no better one

    def refuse(self, wrong: pd.Series, problem: str, remedy: str | None = None) -> None:
        """Raise InputError at the first row that is wrong; `{image}` in `problem` stands for that row's image."""
        if wrong.any():
            line = int(wrong.idxmax())
            raise InputError(self.path, problem.format_map(self.rows.loc[line]), remedy or self.remedy, line=line)

    def refuse_repeats(self, column: str = "image", what: str = "image") -> None:
        """Raise InputError at the first value that stands there a second time."""
        repeated = self.rows[column].duplicated()
        self.refuse(repeated, f"repeats the {what} {{{column}!r}}", "keep one line of the two")

    def refuse_unknown(self, column: str, allowed: tuple[str, ...], *, optional: bool = False) -> None:
        """Raise InputError at the first value outside the vocabulary; an empty one passes where it is optional."""
        known = self.rows[column].isin((*allowed, "") if optional else allowed)
        self.refuse(~known, f"{column} is {{{column}!r}}", f"use one of {', '.join(allowed)}")

    def inside(self, folder: Path, column: str = "image") -> pd.Series:
        """A column of paths in POSIX form. Raises InputError at the first that leaves the folder."""
        return pd.Series({n: inside(folder, p, self.path, n) for n, p in self.rows[column].items()}, dtype=str)

    def keep_present(self, folder: Path) -> tuple[pd.DataFrame, dict]:
        """The rows whose `image` is there, and numbers: `listed`, `absent`. Raises InputError if many are absent."""
        here = self.rows["image"].map(lambda image: (folder / image).is_file()).astype(bool)
        listed, absent = len(here), int((~here).sum())
        if not listed:
            raise InputError(self.path, "names no file", self.remedy)
        if absent > ABSENT * listed:
            line = int(here.idxmin())
            problem = f"names {self.rows.loc[line, 'image']}, absent from {folder}; in all {absent:,} of {listed:,} "
            problem += f"files are (at most {ABSENT:.0%} may be)"
            raise InputError(self.path, problem, self.remedy, line=line)
        return self.rows[here], {"listed": listed, "absent": absent}


def read_lines(path: Path, what: str, remedy: str) -> Listing:
    """A file's lines, stripped and without the blank ones, as the column `text`. Raises InputError if there is none."""
    text = read_text(path, what, remedy).splitlines()
    lines = {n: line.strip() for n, line in enumerate(text, 1) if line.strip()}
    if not lines:
        raise InputError(path, f"{what} is blank", remedy)
    return Listing(path, pd.DataFrame({"text": lines}, dtype=str), remedy)


def read_table(path: Path, what: str, columns: list[str], remedy: str) -> Listing:
    """A CSV file, every cell text, an empty one "". Raises InputError if it is absent, no table, or lacks a column."""
    text = read_text(path, what, remedy)
    rows = parse_table(path, text, keep_default_na=False)
    require_columns(path, list(rows), columns)
    lines = [n for n, line in enumerate(text.split("\n"), 1) if line.strip(" \t")]  # as pandas passes over them
    rows.index = lines[1 : len(rows) + 1]
    return Listing(path, rows, remedy)


def require_columns(path: Path, found: list[str], wanted: list[str], line: int = 1) -> None:
    """Raise InputError unless every wanted column is among those found."""
    missing = [column for column in wanted if column not in found]
    if missing:
        problem = f"lacks the columns {missing}; its header has {found[:8]}"
        raise InputError(path, problem, "give it the header that DATA.md shows", line=line)


_resolved = lru_cache(maxsize=4096)(Path.resolve)  # a list names thousands of files in each folder


def inside(folder: Path, relative: str, source: Path, line: int | None = None) -> str:
    """A relative path in POSIX form. Raises InputError if it is absolute or leaves the folder, links followed."""
    path = Path(relative)
    target = _resolved(folder / path.parent) / path.name
    if target.is_symlink() or path.name == "..":
        target = target.resolve()
    if path.is_absolute() or not target.is_relative_to(_resolved(folder)):
        problem = f"path {relative!r} leaves the data folder {folder}"
        raise InputError(source, problem, "name files below that folder only", line=line)
    return path.as_posix()


def check_images(folder: Path, images: list[str]) -> list[str]:
    """SHA-256 of every image. Each is decoded: raises InputError at the first that `read_picture` refuses."""
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda image: _check_image(folder / image), images)
        return list(track(results, "checking images", total=len(images), unit="image"))


def _check_image(path: Path) -> str:
    read_picture(path)
    return sha256(path)

"""What every reader asks of its files: that they are there, inside their folder, without a wrong line or image."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import below, sha256
from blindlib.common.pictures import read_picture
from blindlib.common.texts import read_text, require_narrow, require_room
from blindlib.common.work import track

ABSENT = 0.01  # share of a list's files that may be absent: they are counted; more is another folder or half a download


@dataclass(frozen=True)
class Listing:
    """A file that names images or labels."""

    path: Path
    rows: pd.DataFrame  # text; the index is the line of the file, from 1
    remedy: str  # for the checks that know no better one
    header: int = 1  # the line of the columns' names

    def refuse(self, wrong: pd.Series, problem: str, remedy: str | None = None) -> None:
        """Raise InputError at the first row that is wrong; `{image}` in `problem` stands for that row's image."""
        if wrong.any():
            line = int(wrong.idxmax())
            row = {name: cell[:200] if isinstance(cell, str) else cell for name, cell in self.rows.loc[line].items()}
            raise InputError(self.path, problem.format_map(row), remedy or self.remedy, line=line)

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
            problem = f"names {self.rows.loc[line, 'image']:.200}, absent from {folder}; in all {absent:,} of "
            problem += f"{listed:,} files are (at most {ABSENT:.0%} may be)"
            raise InputError(self.path, problem, self.remedy, line=line)
        return self.rows[here], {"listed": listed, "absent": absent}


def read_lines(path: Path, what: str, remedy: str) -> Listing:
    """A file's lines, stripped and without the blank ones, as the column `text`. Raises InputError if there is none."""
    text = read_text(path, what, remedy).split("\n")  # as an editor counts; `splitlines` knows other ends too
    lines = {n: line.strip() for n, line in enumerate(text, 1) if line.strip()}
    if not lines:
        raise InputError(path, f"{what} is blank", remedy)
    return Listing(path, pd.DataFrame({"text": lines}, dtype=str), remedy)


def read_table(path: Path, what: str, columns: list[str], remedy: str) -> Listing:
    """A CSV file, every cell text, an empty one "". Raises InputError if it is absent, no table, or lacks a column."""
    text = read_text(path, what, remedy)
    require_narrow(path, text)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    records, line = {}, 1  # by the line that each begins on: a quoted cell may hold some
    try:
        for cells in reader:
            if cells and not (len(cells) == 1 and cells[0].isspace()):
                records[line] = cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(path, f"does not read as a table ({error})", "mend that line", line=line) from None
    if not records:
        raise InputError(path, f"does not read as a table ({what} is blank)", remedy)
    (first, names), *rest = records.items()
    require_room(path, names, text)
    require_columns(path, names, columns, first)
    for line, cells in rest:
        if len(cells) > len(names):
            problem = f"has {len(cells)} cells, more than the {len(names)} names in line {first}"
            raise InputError(path, problem, "mend that line", line=line)
        cells += [""] * (len(names) - len(cells))
    lines, cells = [line for line, _ in rest], [cells for _, cells in rest]
    return Listing(path, pd.DataFrame(cells, lines, names, dtype=str), remedy, first)


def require_columns(path: Path, found: list[str], wanted: list[str], line: int = 1) -> None:
    """Raise InputError unless every wanted column is among those found, and none of them twice."""
    missing = [column for column in wanted if column not in found]
    if missing:
        problem = f"lacks the columns {missing}; its header has {found[:8]}"
        raise InputError(path, problem, "give it the header that DATA.md shows", line=line)
    twice = [name for name in found if name and found.count(name) > 1]
    if twice:
        raise InputError(path, f"has two columns of one name, {twice[0]!r:.40}", "rename one of them", line=line)


def inside(folder: Path, relative: str, source: Path, line: int | None = None) -> str:
    """A relative path in its canonical POSIX form. Raises InputError if it leaves the folder, links followed."""
    return below(folder, relative, source, line=line).relative_to(folder).as_posix()


def check_images(folder: Path, images: list[str]) -> list[str]:
    """SHA-256 of every image. Each is decoded: raises InputError at the first that `read_picture` refuses."""
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda image: _check_image(folder / image), images)
        return list(track(results, "checking images", total=len(images), unit="image"))


def _check_image(path: Path) -> str:
    read_picture(path)
    return sha256(path)

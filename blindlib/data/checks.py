"""Check what all readers check: files are present, paths stay inside, rows are valid, images decode."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import sha256
from blindlib.common.pictures import read_picture
from blindlib.common.work import track

ABSENT = 0.01  # share of a list's files that may be absent; more suggests another folder or a partial download


@dataclass(frozen=True)
class Listing:
    """Hold a file that lists images or labels."""

    path: Path
    rows: pd.DataFrame  # text; the index is the line of the file, from 1
    remedy: str  # of checks without a more specific one

    def refuse(self, wrong: pd.Series, problem: str, remedy: str | None = None) -> None:
        """Raise InputError at the first wrong row; `{image}` in `problem` is replaced by that row's image."""
        if wrong.any():
            line = int(wrong.idxmax())
            problem = problem.format_map(self.rows.loc[line].to_dict())
            raise InputError(self.path, problem, remedy or self.remedy, line=line)

    def refuse_unknown(self, column: str, allowed: tuple[str, ...]) -> None:
        """Raise InputError at the first value outside the vocabulary."""
        known = self.rows[column].isin(allowed)
        self.refuse(~known, f"{column} is {{{column}!r}}", f"use one of {', '.join(allowed)}")

    def keep_present(self, folder: Path) -> tuple[pd.DataFrame, dict]:
        """Return the rows whose `image` is present, with counts. Raises InputError if many are absent."""
        here = self.rows["image"].map(lambda image: (folder / image).is_file()).astype(bool)
        listed, absent = len(here), int((~here).sum())
        if not listed:
            raise InputError(self.path, "names no file", self.remedy)
        if absent > ABSENT * listed:
            problem = f"names {{image}}, absent from {folder}; in all {absent:,} of {listed:,} files are"
            self.refuse(~here, f"{problem} (at most {ABSENT:.0%} may be)")
        return self.rows[here], {"listed": listed, "absent": absent}


def read_lines(path: Path, what: str, remedy: str) -> Listing:
    """Read a file's lines, stripped and without blank ones, as the column `text`. Raises InputError if it has none."""
    _require_file(path, what, remedy)
    text = path.read_text(encoding="utf-8-sig").split("\n")
    lines = {n: line.strip() for n, line in enumerate(text, 1) if line.strip()}
    if not lines:
        raise InputError(path, f"{what} is blank", remedy)
    return Listing(path, pd.DataFrame({"text": lines}, dtype=str), remedy)


def read_table(path: Path, what: str, columns: list[str], remedy: str) -> Listing:
    """Read a CSV file, every cell as text. Raises InputError if it is absent, not a table, or lacks a column."""
    _require_file(path, what, remedy)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="", strict=True)
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(path, f"does not read as a CSV table in UTF-8 ({error})", "mend it") from None
    names = reader.fieldnames or []
    require_columns(path, names, columns)
    for line, row in rows:
        if None in row:
            problem = f"has more cells than the {len(names)} names in line 1"
            raise InputError(path, problem, "mend that line", line=line)
    lines, cells = [line for line, _ in rows], [row for _, row in rows]
    return Listing(path, pd.DataFrame(cells, lines, names, dtype=str), remedy)


def require_columns(path: Path, found: list[str], wanted: list[str], line: int = 1) -> None:
    """Raise InputError unless every wanted column is among those found."""
    missing = [column for column in wanted if column not in found]
    if missing:
        problem = f"lacks the columns {missing}; its header has {found[:8]}"
        raise InputError(path, problem, "give it the header that DATA.md shows", line=line)


def check_images(folder: Path, images: list[str]) -> list[str]:
    """Return the SHA-256 of every image. Raises InputError at the first that does not decode."""
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(lambda image: _check_image(folder / image), images)
        return list(track(hashes, "checking images", total=len(images), unit="image"))


def _check_image(path: Path) -> str:
    read_picture(path)
    return sha256(path)


def _require_file(path: Path, what: str, remedy: str) -> None:
    if not path.is_file():
        raise InputError(path, f"{what} not found", remedy)

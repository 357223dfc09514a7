"""Write the numbers of README.md and of docs/ from figures/: `python scripts/readme.py`, `make readme`.

Between `<!-- num: demo/table1; ID, SN; mean ± half_width -->` and `<!-- /num -->` stands one number of that CSV: of the
one row in which each key is a cell. Other marks bear the name of a function below, which makes a table. Sentences are
written by hand. `--check` writes nothing and exits 1 where a page would change.
"""

import json
import re
import sys
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError, foreseen_in_one_line
from blindlib.common.files import ROOT, write_text
from blindlib.common.processes import one_line_when_interrupted
from blindlib.presets import get_preset
from blindlib.report import tables
from blindlib.report.claims import scorecard as lay_out
from blindlib.report.names import printed_name

PAGES = ("README.md", "docs/index.md", "docs/results.md", "docs/running.md")
FIGURES = ROOT / "figures"
MARKED = re.compile(r"<!-- (\w+): ([^>]*?) -->(.*?)<!-- /\1 -->", re.S)
COLUMNS = {  # what a table of a run has to have, and earlier code did not write
    "table1": {"domain", "representation", "mean", "half_width", "published", "diff", "published_diff"},
    "table2": {"representation", "training", "eq_opp", "published_eq_opp"},
    "claims": {"id", "column", "verdict", "estimate", "low", "high", "rule"},
}
_WHOLE = dict.fromkeys(("n_train_subjects", "n_test_subjects", "n_test", "n_train", "seeds"), "Int64")


def filled(text: str, figures: Path = FIGURES) -> str:
    """Fill everything between the marks of a text from the runs in `figures`.

    Raises KeyError where a mark names none of `MADE`, or a number that is not in one row.
    """

    def fill(match: re.Match) -> str:
        name, what, old = match.groups()
        lines = "\n" if old.startswith("\n") else ""  # a block of its own
        return f"<!-- {name}: {what} -->{lines}{MADE[name](what, figures)}{lines}<!-- /{name} -->"

    return MARKED.sub(fill, text)


def read(figures: Path, table: str) -> pd.DataFrame:
    """Read a table of a run; raises InputError where it is absent or was written by earlier code."""
    path = figures / f"{table}.csv"
    again = f"run `make paper PRESET={path.parent.name}` first"
    if not path.is_file():
        raise InputError(path, "is absent", again)
    rows = pd.read_csv(path, dtype=_WHOLE)
    missing = COLUMNS.get(path.stem, set()) - set(rows)
    if missing:
        raise InputError(path, f"has no column {min(missing)}: earlier code wrote it", again)
    return rows


def num(what: str, figures: Path) -> str:
    """`PRESET/TABLE; keys; column ± column`: one number with one decimal, or a word."""
    table, keys, columns = re.split(r"\s*;\s*", what)
    rows = read(figures, table)
    texts, fits = rows.select_dtypes(exclude="number"), pd.Series(True, rows.index)
    for key in re.split(r",\s*", keys):
        fits &= (texts == key).any(axis=1)
    if fits.sum() != 1:
        raise KeyError(f"{fits.sum()} rows of {table} with {keys}")
    values = [rows.loc[fits.idxmax(), column.strip()] for column in columns.split("±")]
    if pd.isna(values[0]):
        return "no data"
    return " ± ".join(f"{v:.1f}" if isinstance(v, float) else v if isinstance(v, str) else f"{v:,}" for v in values)


def record(preset: str, figures: Path) -> dict:
    """Read a run's run.json; raises InputError where it is absent."""
    path = figures / preset / "run.json"
    if not path.is_file():
        raise InputError(path, "is absent", f"run `make paper PRESET={preset}` first")
    return json.loads(path.read_text(encoding="utf-8"))


def minutes(preset: str, figures: Path) -> str:
    """Say how long a run took."""
    return f"{record(preset, figures)['seconds']['total'] / 60:.0f} minutes"


def machine(preset: str, figures: Path) -> str:
    """Say on what machine it ran."""
    found = record(preset, figures)["machine"]
    return f"{found['cores']} cores, {found['gpu'] or 'no GPU'}"


def faces(preset: str, figures: Path) -> str:
    """Count the images and subjects of a run."""
    data = record(preset, figures)["data"]
    return f"{data['images']:,} images of {data['people']:,} subjects"


def times(preset: str, figures: Path) -> str:
    """Lay out the seconds of every notebook of a run."""
    seconds = record(preset, figures)["seconds"]
    return grid([*seconds], [[f"{value:,.0f} s" for value in seconds.values()]])


def scorecard(preset: str, figures: Path) -> str:
    """Lay out a line for each claim: verdict and interval in the three columns."""
    card = lay_out(read(figures, f"{preset}/claims"), get_preset(preset).bits).drop(columns="Holds when")
    lines = [[cell.partition(";")[0] or "–" for cell in map(str, row)] for row in card.to_numpy().tolist()]
    return grid(card.columns, lines)


def table1(preset: str, figures: Path) -> str:
    """Lay out Table 1 as the paper does, with φ_SN in few bits beside: ours, and the paper's in brackets."""
    rows, lines = read(figures, f"{preset}/table1"), []
    cells = {(row["domain"], row["representation"]): row for row in rows.to_dict("records")}
    names, wanted = ["x", "SN", "LNTL", f"SN {get_preset(preset).bits} bits"], ("mean", "half_width", "published")
    for domain in dict.fromkeys(rows["domain"]):
        own = [cells.get((domain, name)) for name in names]
        lines.append([domain, *(tables.cell(*(r[c] for c in wanted)) if r else "–" for r in own)])
    return grid(["%, ± 95 % interval [paper]", *map(printed_name, names)], lines)


def table2(preset: str, figures: Path) -> str:
    """Lay out Table 2."""
    laid_out = tables.readable2(read(figures, f"{preset}/table2")).drop(columns=["Trained", "Tested", "Data"])
    return grid(laid_out.columns, laid_out.to_numpy().tolist())


def grid(head, lines: list[list[str]]) -> str:
    """Write a Markdown table."""
    return "\n".join(f"|{'|'.join(row)}|" for row in [[*head], ["---"] * len(head), *lines])


MADE = {make.__name__: make for make in (num, minutes, machine, faces, times, scorecard, table1, table2)}


def main(check: bool) -> int:
    """Write the pages that change, or with `check` only name them; give the exit code."""
    pages = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    new = {page: filled(text) for page, text in pages.items()}
    changed = [page for page in PAGES if new[page] != pages[page]]
    for page in () if check else changed:
        write_text(ROOT / page, new[page])
    print(f"{', '.join(changed) or 'nothing'} {'would change' if check else 'written'}")
    return int(check and bool(changed))


if __name__ == "__main__":
    with one_line_when_interrupted(), foreseen_in_one_line():
        sys.exit(main("--check" in sys.argv))

"""Print a finished run's tables and verdicts on a terminal."""

from pathlib import Path

import pandas as pd

from blindlib.report.names import printed_name
from blindlib.report.tables import MEASURES, cell


def summary_text(figures: Path, width: int = 120) -> str:
    """Lay out Table 1, Table 2 and the verdicts of a folder of figures for a terminal, with published values.

    Columns beyond `width` are omitted: those of other methods than the paper's.
    """
    one, two, claims = (pd.read_csv(figures / f"{name}.csv") for name in ("table1", "table2", "claims"))
    names = list(dict.fromkeys(one["representation"]))
    cells = {
        (row["domain"], row["representation"]): cell(row["mean"], row["half_width"], row["published"])
        for _, row in one.iterrows()
    }
    first = [["", *map(printed_name, names)]]
    first += [[domain, *(cells.get((domain, name), "") for name in names)] for domain in dict.fromkeys(one["domain"])]
    second = [["", *MEASURES.values()]]
    for _, row in two.iterrows():
        numbers = [cell(row[m], row[f"{m}_hw"], row[f"published_{m}"]) for m in MEASURES]
        second.append([f"{printed_name(row['representation'])}, {row['training']}", *numbers])
    parts = {
        "Table 1: balanced accuracy in %, ± 95 % interval [the paper's]": first,
        "Table 2: attractiveness, in %": second,
        "The paper's claims": _verdicts(claims),
    }
    return "\n\n".join(f"{title}\n{_grid(rows, width)}" for title, rows in parts.items()) + "\n"


def _verdicts(claims: pd.DataFrame) -> list[list[str]]:
    """Lay out a row for each claim: its verdict in each `column`, with estimate and interval."""
    names = list(dict.fromkeys(claims["column"]))
    rows = [["", *names]]
    for claim, group in claims.groupby("id", sort=False):
        words = dict.fromkeys(names, "")
        for row in group.to_dict("records"):
            rounded = [round(row[part], 1) + 0.0 for part in ("estimate", "low", "high")]  # no -0.0
            numbers = " {:.1f} [{:.1f}, {:.1f}]".format(*rounded) if pd.notna(row["estimate"]) else ""
            words[row["column"]] = f"{row['verdict']}{numbers}"
        rows.append([claim, *words.values(), group["claim"].iloc[0]])
    return rows


def _grid(rows: list[list[str]], width: int) -> str:
    """Pad some rows of cells to columns, as many as fit."""
    columns = list(zip(*(row + [""] * (max(map(len, rows)) - len(row)) for row in rows), strict=True))
    sizes = [max(map(len, column)) + 2 for column in columns]
    kept = [n for n in range(len(sizes)) if sum(sizes[: n + 1]) <= width + 2]
    return "\n".join("".join(columns[n][row].ljust(sizes[n]) for n in kept).rstrip() for row in range(len(rows)))

"""`make check`: what counts as the same table, and what is named as a difference."""

import shutil

import pandas as pd
import pytest

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.report.compare import compare_budget, compare_figures


@pytest.fixture
def figures(tmp_path):
    """The committed tables of a preset, twice."""
    source = ROOT / "figures" / "demo"
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        for table in ("table1.csv", "table2.csv", "claims.csv"):
            shutil.copy(source / table, tmp_path / name / table)
    return tmp_path


def test_check_passes_on_the_same_tables_and_names_what_moved(figures):
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert not differs and lines == ["3 of 3 tables are the same bytes; 0 differences beyond the tolerance"]
    table = pd.read_csv(figures / "new" / "table1.csv")
    table.loc[0, "mean"] += table.loc[0, "half_width"] + 1
    table.to_csv(figures / "new" / "table1.csv", index=False)
    claims = pd.read_csv(figures / "new" / "claims.csv")
    claims.assign(strongest_verdict="").to_csv(figures / "new" / "claims.csv", index=False)
    lines, _ = compare_figures(figures / "old", figures / "new")
    assert sum("strongest_verdict of C" in line for line in lines) == claims["strongest_verdict"].notna().sum() == 2
    claims = claims.assign(verdict="not testable")
    claims.to_csv(figures / "new" / "claims.csv", index=False)
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert differs and table.loc[0, "domain"] in lines[0] and "mean is" in lines[0]
    assert sum("claims.csv" in line for line in lines) == len(claims)
    table.drop(index=3).to_csv(figures / "new" / "table1.csv", index=False)
    assert any("only one of the two" in line for line in compare_figures(figures / "old", figures / "new")[0])
    (figures / "new" / "table2.csv").unlink()
    with pytest.raises(InputError, match="no such table"):
        compare_figures(figures / "old", figures / "new")


@pytest.mark.parametrize("what", ["too large", "a word", "twice", "no column"])
def test_a_table_that_does_not_read_is_one_line(figures, what):
    path = figures / "new" / "table2.csv"
    table = pd.read_csv(path, dtype=str)
    spoilt = {
        "too large": table.assign(acc="9" * 400),  # by the fuzz, after an hour: an OverflowError
        "a word": table.assign(acc="many"),
        "twice": pd.concat([table, table]),
        "no column": table.drop(columns="acc"),
    }
    spoilt[what].to_csv(path, index=False)
    with pytest.raises(InputError, match=r"table2\.csv: does not read as a table") as error:
        compare_figures(figures / "old", figures / "new")
    assert len(str(error.value).splitlines()) == 1


def test_check_accepts_what_another_processor_may_move(figures):
    table = pd.read_csv(figures / "old" / "table2.csv")
    table["acc"] += 0.9 * table["acc_hw"]
    table.to_csv(figures / "new" / "table2.csv", index=False)
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert not differs and "2 of 3" in lines[0]


def test_a_cell_that_moves_by_more_than_half_its_half_width_has_not_settled(figures):
    table = pd.read_csv(figures / "old" / "table1.csv")
    told = compare_budget(figures / "old", table, "longer")
    assert told["settled"].all() and len(told) == (table["protocol"] == "B").sum()
    table.loc[1, "mean"] += 0.6 * table.loc[1, "half_width"] + 0.01
    told = compare_budget(figures / "old", table, "longer")
    moved = told[~told["settled"]]
    assert moved[["domain", "representation"]].to_numpy().tolist() == [["ID", table.loc[1, "representation"]]]
    few = compare_budget(figures / "old", table[table["representation"].isin(["SN", "new"])], "longer")
    assert set(few["representation"]) == {"SN"}, "only what both have"

"""`make check`: what counts as the same table, and what is named as a difference."""

import pandas as pd
import pytest
from report_rows import write_run

from blindlib.common.errors import InputError
from blindlib.report.compare import compare_figures


@pytest.fixture
def figures(tmp_path):
    """The tables of a run, twice."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        write_run(tmp_path / name)
    return tmp_path


def changed(path, edit):
    edit(pd.read_csv(path)).to_csv(path, index=False)


def test_check_passes_on_the_same_tables_and_names_what_moved(figures):
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert not differs and lines == ["3 of 3 tables are the same bytes; 0 differences beyond the tolerance"]

    def move(table):
        table.loc[0, "mean"] += table.loc[0, "half_width"] + 1
        return table

    changed(figures / "new" / "table1.csv", move)
    changed(figures / "new" / "claims.csv", lambda claims: claims.assign(verdict="not testable").drop(index=0))
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert differs and "ID x mean is" in lines[0] and "claims.csv: C1 paper is absent, was" in "\n".join(lines)
    assert sum("is not testable, was" in line for line in lines) == len(pd.read_csv(figures / "new" / "claims.csv"))
    changed(figures / "new" / "table1.csv", lambda table: table.drop(index=3))
    assert any("only one of the two" in line for line in compare_figures(figures / "old", figures / "new")[0])
    (figures / "new" / "table2.csv").unlink()
    with pytest.raises(InputError, match="no such table"):
        compare_figures(figures / "old", figures / "new")


@pytest.mark.parametrize(
    "spoil",
    [lambda table: table.assign(acc="many"), lambda table: pd.concat([table, table]), lambda t: t.drop(columns="acc")],
    ids=["a word", "twice", "no column"],
)
def test_a_table_that_does_not_read_is_one_line(figures, spoil):
    changed(figures / "new" / "table2.csv", spoil)
    with pytest.raises(InputError, match=r"table2\.csv: does not read as a table") as error:
        compare_figures(figures / "old", figures / "new")
    assert len(str(error.value).splitlines()) == 1


def test_check_accepts_what_another_processor_may_move(figures):
    changed(figures / "new" / "table2.csv", lambda table: table.assign(acc=table["acc"] + 0.9 * table["acc_hw"]))
    lines, differs = compare_figures(figures / "old", figures / "new")
    assert not differs and "2 of 3" in lines[0]

"""Table 1, Table 2 and the audit of the printed tables, on rows whose content is known."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from report_rows import TASKS, one_face, result_rows, study_rows, write_run

from blindlib.metrics import diff, interval
from blindlib.report import paper, printed, tables
from blindlib.report.names import MEANINGS, without_bits
from blindlib.report.terminal import summary_text

MEANS = {"x": 75.0, "SN": 65.0, "pixels": 80.0}
GAPS = {"x": (2.0, 17.0), "SN": (2.0, 3.0), "LNTL": (2.0, 9.0), "LEACE": (1.0, 2.0)}


@pytest.fixture
def faces():
    return one_face()


def test_table1_is_the_contract_with_diff_interval_counts_and_published():
    table = tables.table1(result_rows(MEANS)).set_index(["domain", "representation"])
    row = table.loc[("Emotion (NN)", "SN")]
    assert row["mean"] == pytest.approx(67.5) and row["diff"] == pytest.approx(100 * 10 / 27.5)
    assert row["diff_half_width"] == pytest.approx(0, abs=1e-9), "paired: the same drop in every rotation"
    assert row["half_width"] == pytest.approx(interval(np.arange(5.0))[1])
    assert (row["n_test_subjects"], row["n_test"], row["seeds"]) == (50, 100, 2)
    assert (row["published"], row["published_diff"]) == (59.6, 40)
    assert pd.isna(table.loc[("Gender", "LNTL"), "mean"]), "a cell without data is empty"
    assert table.loc[("Gender", "LNTL"), "published"] == 72.7
    assert list(tables.table1(result_rows(MEANS))) == list(tables.TABLE1_COLUMNS)


def test_the_readable_table_says_no_data_and_keeps_published_in_brackets(tmp_path):
    table = tables.table1(result_rows(MEANS))
    laid_out = tables.readable(table).set_index("Domain")
    assert laid_out.loc["Gender", "x"] == "no data [99.2]" and laid_out.loc["Gender", "Data"] == "no data"
    assert laid_out.loc["Emotion (NN)", "φ_SN"] == "67.5 ± 2.0 [59.6]"
    tables.save_table(table, tables.readable(table), tmp_path, "table1", "Table 1: in %")
    tex = (tmp_path / "table1.tex").read_text()
    assert r"\toprule" in tex and r"$\pm$" in tex and r"in \%" in tex
    assert (tmp_path / "table1.csv").read_text().splitlines()[0].startswith("domain,representation,mean,half_width")


def test_published_numbers_are_the_paper_s_and_diff_is_its_formula():
    printed = paper.table1()
    assert printed.loc["ID", ["x", "SN", "LNTL"]].tolist() == [96.8, 96.3, 59.4] and len(printed) == 6
    assert diff(88.1, 59.6, 16.667) == pytest.approx(39.9, abs=0.05) and np.isnan(diff(50, 50, 50))


@pytest.mark.parametrize("preset", ["smoke", "open-smoke", "paper-smoke+dlib"])
def test_a_miniature_run_says_that_its_numbers_mean_nothing(preset):
    assert "its numbers mean nothing" in tables.caption("table1", preset, "synthetic")
    assert "mean nothing" not in tables.caption("table1", "demo", "synthetic")


def test_diff_is_paired_over_the_rotations_that_both_have_and_empty_where_x_is_at_chance():
    rows = result_rows(MEANS)
    some = rows.drop(rows.index[(rows["representation"] == "SN") & (rows["rotation"] == 4)])
    lost, half, by_rotation = tables.diff_of(tables.by_domain(some), "ID", "SN")
    x = 75 + np.arange(4) + 0.5
    assert lost == pytest.approx(diff(x.mean(), x.mean() - 10, 50)) and half == pytest.approx(0, abs=1e-9)
    assert by_rotation.index.tolist() == [0, 1, 2, 3] and by_rotation.mean() == pytest.approx(lost)
    blind = result_rows({"x": 47.5, "SN": 40.0})  # 47.5 + 2 for the mean rotation + 0.5 for the mean seed
    assert np.isnan(tables.diff_of(tables.by_domain(blind), "ID", "SN")[0])
    assert tables.table1(blind)["diff"].isna().all()


def test_an_eraser_that_no_table_knows_gets_rows_columns_and_diffs_after_the_known():
    means = {"Mine": 60.0, **MEANS, "Another": 70.0}
    table = tables.table1(result_rows(means, TASKS))
    for domain in tables.DOMAINS:
        names = table.loc[(table["domain"] == domain) & table["mean"].notna(), "representation"].tolist()
        assert names == ["x", "SN", "pixels", "Mine", "Another"]
    row = table.set_index(["domain", "representation"]).loc[("Gender", "Mine")]
    assert row["diff"] == pytest.approx(100 * 15 / 27.5) and pd.isna(row["published"])
    laid_out = tables.readable(table)
    assert [c for c in laid_out if c in (*means, "φ_SN")] == ["x", "φ_SN", "pixels", "Mine", "Another"]
    assert laid_out.set_index("Domain").loc["Gender", "Mine"] == "62.5 ± 2.0"
    assert tables.table1(result_rows(means, TASKS).assign(protocol="A"))["mean"].isna().all(), "protocol A is no row"


def test_table2_is_the_contract_with_the_published_values(faces):
    study = study_rows(GAPS)
    table = tables.table2(study, 0.7, faces).set_index(["representation", "training"])
    assert [*table.index][:4] == [("x", "unbiased"), ("x", "biased"), ("SN", "biased"), ("LNTL", "biased")]
    row = table.loc[("x", "biased")]
    assert row["published_eq_opp"] == 17.47 and row["seeds"] == 5 and row["data"] == "synthetic"
    rows = tables.of_cell(study, "x", 0.7)
    assert row["eq_opp"] == pytest.approx(abs(rows["tpr_smiling"].mean() - rows["tpr_not_smiling"].mean()))
    assert row["acc_hw"] == pytest.approx(interval(rows["acc"])[1])
    empty = tables.table2(pd.DataFrame(), 0.7, faces)
    assert empty["acc"].isna().all() and empty["published_acc"].notna().sum() == 4
    assert "no data [77.3]" in tables.readable2(empty)["Acc"].tolist()
    mixed = dataclasses.replace(faces, provenance="substitute", provenances={"attractive": "real"})
    kinds = tables.table2(study, 0.7, mixed).set_index("representation")["data"]
    assert kinds["SN"] == "substitute" and set(kinds["x"]) == {"real"}, "φ was trained on substitutes, x was not"


def test_the_audit_marks_what_does_not_follow_and_only_that():
    table = printed.audit_table1().set_index("entry")
    assert table.loc["Table 1, ID, Diff LNTL", "recomputed"] == pytest.approx(79.9, abs=0.05)
    assert not table.loc["Table 1, ID, Diff LNTL", "follows"] and table.loc["Table 1, Emotion (NN), Diff SN", "follows"]
    assert set(table.index[~table["follows"]]) == {"Table 1, ID, Diff LNTL", "Table 1, Ethnicity, Diff SN"}
    assert printed.audit_table2()["follows"].all() and len(printed.audit_table2()) == 4


def test_an_entry_without_a_decimal_is_rounded_to_a_whole_number(monkeypatch):
    """The paper prints φ_LNTL's SVM accuracy as `25 %`: with a decimal, its Diff of 88.2 would not follow."""
    entry = "Table 1, Emotion (SVM), Diff LNTL"
    numbers = paper.printed1()
    assert numbers.loc["Emotion (SVM)", "LNTL"] == "25"
    assert printed.audit_table1().set_index("entry").loc[entry, "follows"]
    numbers.loc["Emotion (SVM)", "LNTL"] = "25.0"
    monkeypatch.setattr(printed, "printed1", lambda: numbers)
    assert not printed.audit_table1().set_index("entry").loc[entry, "follows"]


def test_an_eraser_that_table2_does_not_know_gets_a_row_after_the_known(faces, tmp_path):
    table = tables.table2(study_rows({"Mine": (1.0, 4.0), **GAPS}), 0.7, faces)
    names = list(zip(table["representation"], table["training"], strict=True))
    assert names == [*tables.CELLS, ("Mine", "biased")]
    assert table.iloc[-1]["eq_opp"] == pytest.approx(4.2) and pd.isna(table.iloc[-1]["published_acc"])
    tables.save_table(table, tables.readable2(table), tmp_path, "table2", "t")
    lines = (tmp_path / "table2.csv").read_text().splitlines()
    known = tables.table2(study_rows(GAPS), 0.7, faces)
    tables.save_table(known, tables.readable2(known), tmp_path, "table2", "t")
    assert (tmp_path / "table2.csv").read_text().splitlines() == lines[:-1], "the known rows stay as they were"


def test_what_tells_a_collapse_stands_beside_the_scores_and_in_the_saved_table(tmp_path):
    rows = result_rows(MEANS, TASKS)
    shares = rows[rows["task"] != "ID"].assign(metric="top_share", value=20.0)
    given_up = (shares["representation"] == "SN") & (shares["probe"] == "SVM")
    shares.loc[given_up, "value"] = 90.0 + shares.loc[given_up, "rotation"]
    ranks = rows[rows["task"] == "ID"].assign(task="collapse", probe=None, metric="effective_rank", value=40.0)
    ranks.loc[ranks["representation"] == "SN", "value"] = 7.0 + ranks["rotation"]
    table = tables.table1(pd.concat([rows, shares, ranks]))
    cells = table.set_index(["domain", "representation"])
    assert (
        cells.loc[("Emotion (SVM)", "SN"), "top_share"] == 92 and cells.loc[("Emotion (RF)", "SN"), "top_share"] == 20
    )
    assert (cells.loc[(slice(None), "SN"), "effective_rank"] == 9).all() and cells.loc["ID", "top_share"].isna().all()
    pd.testing.assert_frame_equal(
        table.drop(columns=["top_share", "effective_rank"]),
        tables.table1(rows).drop(columns=["top_share", "effective_rank"]),
    )
    tables.save_table(table, tables.readable(table), tmp_path, "table1", "Table 1: in %")
    blocks = (tmp_path / "table1.md").read_text().split("\n\n")
    paper_s, others = (block.splitlines() for block in blocks if block.startswith("|"))
    last = paper_s[-2:]
    assert last[0].split("|")[1].strip() == "Effective rank" and " 9.0 " in last[0] and " 40.0 " in last[0]
    assert last[1].split("|")[1].strip() == "Most frequent emotion answer" and " 92.0 " in last[1]
    assert max(line.count("|") for line in paper_s) == 11, "what the paper has, and the counts"
    assert others[2].split("|")[1].strip() == "Chance" and len(others) > 3, "a line each"
    assert len(tables.readable(tables.table1(rows))) == len(tables.DOMAINS), "without them no lines for them"


def test_under_a_table_stands_what_each_of_its_representations_is_and_none_is_without_words(tmp_path):
    assert set(MEANINGS) >= {without_bits(name) for name in tables.REPRESENTATIONS}
    rows = result_rows(MEANS, TASKS)
    more = [rows[rows["representation"] == "SN"].assign(representation=name) for name in ("LEACE", "SN 6 bits", "Mine")]
    told = pd.concat([rows, *more])
    table = tables.table1(told)
    tables.save_table(table, tables.readable(table), tmp_path, "table1", "Table 1: in %")
    key = [line for line in (tmp_path / "table1.md").read_text().splitlines() if line.startswith("* ")]
    assert f"* LEACE: {MEANINGS['LEACE']}." in key and f"* φ_SN: {MEANINGS['SN']}." in key
    assert len(key) == len(set(table["representation"])) - 1, "of one's own nothing is known"
    audit = pd.DataFrame({"entry": ["a"], "printed": [1.0]})
    tables.save_table(audit, audit, tmp_path, "audit", "The audit")
    assert "* " not in (tmp_path / "audit.md").read_text()


def test_the_summary_for_a_terminal_has_the_tables_numbers_and_a_verdict_for_each_column_of_the_claims(tmp_path):
    text, one = summary_text(write_run(tmp_path)), pd.read_csv(tmp_path / "table1.csv")
    assert max(map(len, text.splitlines())) <= 120
    row = one[(one["domain"] == "ID") & (one["representation"] == "SN")].iloc[0]
    assert f"{row['mean']:.1f} ± {row['half_width']:.1f} [96.3]" in text and "φ_LNTL, biased" in text
    lines = text.splitlines()
    assert [line for line in lines if line.split() == ["paper", "released", "whitened"]]
    of = {line.split()[0]: line for line in lines if re.match(r"C\d", line)}
    for claim, rows in pd.read_csv(tmp_path / "claims.csv").groupby("id"):
        place = -1
        for column in ("paper", "released", "whitened"):
            for row in rows[rows["column"] == column].itertuples():
                place = of[claim].index(f"{row.verdict} {row.estimate:.1f} [", place + 1)

"""The LaTeX of the tables: what stands in it, and that it compiles without a box that is too wide."""

import shutil
import subprocess

import pandas as pd
import pytest
from report_rows import TASKS, one_face, result_rows, study_rows

from blindlib.report import tables
from blindlib.report.claims import judge_claims, scorecard
from blindlib.report.latex import NEEDS, as_latex, in_symbols
from blindlib.report.printed import audit_table1

MEANS = {"x": 75.0, "SN": 65.0, "LNTL": 60.0, "SN 6 bits": 55.0, "LEACE": 62.0, "SN λ=0": 70.0}


def test_signs_become_commands_and_what_is_special_is_escaped():
    assert in_symbols("φ_SN, λ = 0") == r"$\varphi_\mathrm{SN}$, $\lambda$ = 0"
    assert in_symbols("-9.0 ± 1 % [-2]") == r"$-$9.0 $\pm$ 1 \% [$-$2]"
    assert in_symbols("a-1, 2-3 > b_c & φ") == r"a-1, 2-3 $>$ b\_c \& $\varphi$", "a hyphen is no minus"


def test_a_published_value_stands_under_ours_and_counts_in_a_note(tmp_path):
    table = tables.table1(result_rows(MEANS, TASKS))
    tables.save_table(table, tables.readable(table), tmp_path, "table1", "in %")
    text = (tmp_path / "table1.tex").read_text()
    assert text.count(r"\toprule") == 2, "the paper's columns, then four of the others"
    lines = [line.split(" & ")[3].strip() for line in text.splitlines() if line.startswith(("ID &", " &  &"))]
    assert lines[:2] == [r"67.5 $\pm$ 2.0", "[96.3]"]
    assert "subjects 50, tested 100 pairs, data substitute" in text and "Subjects" not in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX here")
def test_every_table_compiles_and_no_box_is_too_wide(tmp_path):
    rows, study = result_rows(MEANS, TASKS), study_rows({"x": (2, 17.0), "SN": (2, 3.0), "LNTL": (2, 9.0)})
    one, two, audit = tables.table1(rows), tables.table2(study, 0.7, one_face()), audit_table1()
    claims = judge_claims(rows, study, 0.7, 6)
    parts = {"table1": tables.readable(one), "table2": tables.readable2(two), "audit": audit.round(2)}
    for name, laid_out in (parts | {"claims": scorecard(claims, 6)}).items():
        tables.save_table(laid_out, laid_out, tmp_path, name, tables.caption("table1", "demo", "synthetic"))
    body = "\n".join(rf"\input{{{name}}}" for name in (*parts, "claims"))
    head = rf"\documentclass{{article}}{NEEDS.removeprefix('% ')}"
    (tmp_path / "all.tex").write_text(rf"{head}\begin{{document}}{body}\end{{document}}")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and (tmp_path / "all.pdf").exists()


def test_a_table_of_words_has_paragraphs_that_share_the_line():
    words = pd.DataFrame({"": ["C1"], "claim": ["a claim that is told in quite some words"], "rule": ["x" * 30]})
    text = as_latex([words], "t", "t")
    widths = [float(part.split(r"\linewidth")[0]) for part in text.split("p{")[1:]]
    assert len(widths) == 2 and sum(widths) < 1 and r"\resizebox" not in text

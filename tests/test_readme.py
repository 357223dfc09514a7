"""What README and the pages of docs/ promise: their numbers are the runs', the example runs, links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from blindlib.common.files import ROOT

pytest.importorskip("docutils", reason="the site's packages are not installed: pip install '.[site]'")

import readme
from make_site import with_terms

from blindlib.report.names import printed_name

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEEN = re.sub(r"<!--.*?-->", "", README, flags=re.S)


def test_the_readme_is_short_and_in_its_order():
    assert len(SEEN.replace("|", " ").split()) <= 800
    wanted = ["The finding", "Two commands", "Read it", "Run it", "Use it", "Scorecard", "What it is not", "Presets"]
    assert re.findall("^## (.+)$", SEEN, re.M) == [*wanted, "Cite, licence, privacy"]


@pytest.mark.parametrize("page", readme.PAGES)
def test_what_stands_between_the_marks_is_what_the_script_writes(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert readme.filled(text) == text, "run `make readme`"
    assert len(readme.MARKED.findall(text)) == text.count("<!-- /"), "every mark is closed, and by its own name"
    if page == "docs/results.md":
        assert not re.search(r"\d\.\d", readme.MARKED.sub("", text)), "a measured number is typed by hand"


def test_the_scorecard_has_every_claim_s_verdict_and_interval_as_the_csv_has_them():
    rows = pd.read_csv(ROOT / "figures" / "demo" / "claims.csv")
    lines = {line.split("]")[0][2:]: line for line in README.splitlines() if line.startswith("|[C")}
    assert list(lines) == list(rows["id"]) and len(lines) >= 7
    for row in rows.itertuples():
        cells = [cell.strip() for cell in lines[row.id].split("|")[1:-1]]
        estimate, low, high = (f"{round(value, 1) + 0.0:.1f}" for value in (row.estimate, row.low, row.high))
        assert cells[2] == row.rule and f" {row.verdict}: {estimate} [{low}, {high}]" in cells[3]
        assert cells[3].endswith(" %" if row.id in ("C1", "C2", "C3") else " points")
        attacked = isinstance(row.strongest_verdict, str)
        assert (f"{row.strongest_verdict}: {row.strongest_estimate:.1f} [" in cells[4]) if attacked else cells[4] == "–"


def test_a_changed_csv_changes_the_texts_and_a_number_that_is_no_row_s_is_refused(tmp_path):
    shutil.copytree(ROOT / "figures" / "demo", tmp_path / "demo")
    table = pd.read_csv(path := tmp_path / "demo" / "table1.csv")
    table.loc[(table["domain"] == "ID") & (table["representation"] == "SN"), "mean"] = 12.3
    table.to_csv(path, index=False)
    mark = "a <!-- num: demo/table1; ID, SN; mean -->?<!-- /num --> b"
    assert readme.filled(mark, tmp_path) == mark.replace("?", "12.3")
    with pytest.raises(KeyError, match="0 rows"):
        readme.filled(mark.replace("SN", "nobody"), tmp_path)
    assert "not run" in readme.settled("demo", tmp_path)


def test_longer_training_of_other_heads_than_table_1_s_is_called_so(tmp_path):
    (tmp_path / "run" / "appendix").mkdir(parents=True)
    row = {
        "domain": "ID",
        "representation": "SN",
        "protocol": "B",
        "half_width": 0.4,
        "longer": 96.0,
        "mean": 97.1,
        "stays": False,
    }
    pd.DataFrame([row]).to_csv(tmp_path / "run" / "appendix" / "longer.csv")
    for mean, own in ((97.1, True), (97.3, False)):
        pd.DataFrame([row | {"mean": mean}]).to_csv(tmp_path / "run" / "table1.csv")
        assert ("earlier run" not in readme.settled("run", tmp_path)) == own


def test_a_published_diff_agrees_where_our_interval_holds_it(tmp_path):
    (tmp_path / "run").mkdir()
    row = {"domain": "ID", "representation": "SN", "protocol": "B", "diff": 10.0, "diff_half_width": 2.0}
    pd.DataFrame([row | {"published_diff": value} for value in (11.5, 13.0, 7.0, 12.1, 8.0)]).to_csv(
        tmp_path / "run" / "table1.csv"
    )
    told = readme.published("run", tmp_path).splitlines()[2:]
    assert "agrees" in told[0] and "less is lost here" in told[1] and "more is lost here" in told[2]
    assert all("at its end" in line for line in told[3:]), "what the table's rounding would decide is not decided"


def test_heads_that_are_beyond_the_budget_are_counted(tmp_path):
    """Two splits: in the first λ = 1 costs less than 3 %, in the second no λ does; LNTL's other task is not asked."""
    looks = [
        {"split": split, "strength": λ, "round": number, "emotion": read, "identity": kept, "kept": number > 0}
        for split, λ, number, read, kept in (
            *((0, 1.0, 0, 90.0, 100.0), (0, 3.0, 0, 90.0, 100.0), (1, 1.0, 0, 90.0, 90.0), (1, 3.0, 0, 90.0, 90.0)),
            *((0, 1.0, 6, 50.0, 99.0), (0, 3.0, 4, 40.0, 98.0), (1, 1.0, 6, 60.0, 80.0), (1, 3.0, 4, 20.0, 70.0)),
        )
    ]
    (tmp_path / "demo").mkdir()
    looks = pd.DataFrame(looks)
    looks.to_csv(tmp_path / "demo" / "training_sensitivenets.csv", index=False)
    none, whole = looks.assign(y="identity"), looks.assign(y="demographic", identity=100.0)
    none.loc[none["round"] > 0, "identity"] = 60.0
    pd.concat([none, whole]).to_csv(tmp_path / "demo" / "training_lntl.csv", index=False)
    assert readme.limits("demo", tmp_path) == (
        "A chosen head may cost validation people 3 % of verification above chance. φ_SN's is within that in 1 of 2 "
        "splits, φ_LNTL's is within that in 0 of 2 splits; no λ was trained for more than 6 rounds."
    )


def test_badges_lead_to_the_stated_repository_or_stay_within(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    assert "(docs/running.md#in-a-browser)" in readme.badges("a", tmp_path) and "OWNER" not in readme.badges(
        "a", tmp_path
    )
    (tmp_path / "pyproject.toml").write_text("[project.urls]\nRepository = 'https://github.com/us/it'\n")
    assert "mybinder.org/v2/gh/us/it/HEAD" in readme.badges("a", tmp_path)


def test_the_readme_s_example_runs_as_it_stands_and_finds_what_was_planted(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (tmp_path / "example.py").write_text(example)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "example.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "x gives away emotion" in done.stdout, done.stderr
    assert len([line for line in example.splitlines() if line and not line.startswith(("import", "from"))]) <= 10


@pytest.mark.parametrize("page", TEXTS, ids=lambda path: path.name)
def test_every_link_between_files_leads_to_one(page):
    for target, _, anchor in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)(#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        if "actions/workflows" in target:  # the forge's own, beside the files
            continue
        file = page.parent / target
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, anchor


def test_every_page_of_docs_is_in_the_site_s_contents_and_results_are_linked_from_the_readme():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {line.strip() for block in re.findall(r"```{toctree}(.*?)```", index, re.S) for line in block.splitlines()}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"} <= listed
    for name in ("results", "running", "use", "code", "privacy"):
        assert f"(docs/{name}.md" in README


def test_hooks_take_the_lock_s_versions_and_ci_runs_what_is_run_here():
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    pins = [pin for hook in local["hooks"] for pin in hook["additional_dependencies"]]
    assert len(pins) == 3 and not [pin for pin in pins if pin not in lock]
    entry = local["hooks"][-1]["entry"]  # strips what `make notebooks` does
    makefile = (ROOT / "Makefile").read_text()
    assert entry.removeprefix("nbstripout ") in makefile
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    assert steps[-1] == {"run": ".ci/run"} and os.access(ROOT / ".ci" / "run", os.X_OK)


def test_help_shows_what_a_reader_calls_and_make_s_own_commands_still_run():
    def run(*words):
        command = [sys.executable, "-m", "blindlib", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"COLUMNS": "200"})

    shown = set(re.findall(r"^\W*([a-z]+) {2,}", run("--help").stdout.partition("Commands")[2], re.M))
    assert shown == {"data", "synth", "audit", "embed", "miniatures", "run", "paper", "appendix"}
    called = set(re.findall(r"-m blindlib (\w+)", (ROOT / "Makefile").read_text())) - shown
    assert called - {"tune"} == {"name", "compare", "store", "lab"}
    for name in called - {"tune"}:
        assert run(name, "--help").returncode == 0
    assert re.fullmatch(r"blindlib \d+\.\d+\.\d+\n", run("--version").stdout)


TERMS = (
    *("φ_SN", "φ_LNTL", "centre loss", "LEACE", "INLP", "NAP", "Obliviator", "Diff", "protocol A", "protocol B"),
    *("strongest", "ladder", "rotation", "TAR", "FAR", "EER", "Eq. Opp.", "labelnet", "paper"),
)


def test_every_term_of_the_scorecard_and_the_tables_is_in_the_glossary_and_the_paper_has_one_name():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"\*\*(.+?)\*\*", text)
    assert set(TERMS) <= set(entries) and len(entries) == len(set(entries))
    assert re.findall(r"^(?! |```|#)(.+)\n", with_terms(text), re.M) == entries, "the site's list has the same"
    known = " ".join(entries)
    table = pd.read_csv(ROOT / "figures" / "demo" / "table1.csv")
    for name in {printed_name(n).partition(",")[0] for n in table["representation"]}:
        assert name in known, name
    pages = [*TEXTS, *(ROOT / "notebooks").glob("0*.ipynb"), *(ROOT / "blindlib").rglob("*.py")]
    named = [path.name for path in pages if re.search(r"\bposter", path.read_text(encoding="utf-8"), re.I)]
    assert sorted(named) == ["README.md", "glossary.md", "paper.py"], "once for each reader, as what the paper is"

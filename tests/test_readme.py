"""What README and the pages of docs/ promise: their numbers are the run's, the example runs, links lead somewhere."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import readme
import yaml
from report_rows import write_run

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.report.names import printed_name

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """A run of `demo` whose numbers are known."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "demo").mkdir()
    write_run(folder / "demo")
    record = {"seconds": {"01_data_prep": 30, "total": 240}, "machine": {"cores": 2, "gpu": None}}
    (folder / "demo" / "run.json").write_text(json.dumps(record | {"data": {"images": 1234, "people": 56}}))
    return folder


def test_readme_and_results_are_short():
    for name, most in (("README.md", 800), ("docs/results.md", 950)):
        text = (ROOT / name).read_text(encoding="utf-8")
        seen = re.sub(r"<!-- (scorecard|table\d): .*?<!-- /\1 -->|<!--.*?-->", "", text, flags=re.S)
        assert len(seen.replace("|", " ").split()) <= most, name


@pytest.mark.parametrize("page", readme.PAGES)
def test_what_stands_between_the_marks_is_what_the_script_writes(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert readme.filled(text) == text, "run `make readme`"


@pytest.mark.parametrize("page", readme.PAGES)
def test_every_mark_can_be_filled_and_no_measured_number_of_results_is_typed_by_hand(page, figures):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(readme.MARKED.findall(text)) == len(re.findall(r"<!-- /(?!badges)", text)), "every mark is closed"
    assert "-->…<!--" not in readme.filled(text, figures)
    if page == "docs/results.md":
        assert not re.search(r"\d\.\d", readme.MARKED.sub("", text))


def test_a_number_is_that_of_its_one_row(figures):
    row = pd.read_csv(figures / "demo" / "table1.csv").set_index(["domain", "representation"]).loc[("ID", "SN 6 bits")]
    mark = "a <!-- num: demo/table1; ID, SN 6 bits; mean ± half_width -->?<!-- /num --> b"
    assert readme.filled(mark, figures) == mark.replace("?", f"{row['mean']:.1f} ± {row['half_width']:.1f}")
    for keys in ("ID, nobody", "ID"):
        with pytest.raises(KeyError, match="rows of"):
            readme.filled(mark.replace("ID, SN 6 bits", keys), figures)
    assert readme.num("demo/table1; ID, SN; n_test", figures) == f"{row['n_test']:,.0f}"
    assert readme.minutes("demo", figures) == "4 minutes" and readme.machine("demo", figures) == "2 cores, no GPU"


def test_the_scorecard_has_every_verdict_and_interval_in_its_column(figures):
    lines = [line.split("|")[1:-1] for line in readme.scorecard("demo", figures).splitlines()]
    place = {"paper": 2, "whitened": 3, "released": 4}
    cells = {(line[0], column): line[n] for line in lines[2:] for column, n in place.items()}
    rows = pd.read_csv(figures / "demo" / "claims.csv")
    for row in rows.itertuples():
        numbers = [f"{round(value, 1) + 0.0:.1f}" for value in (row.estimate, row.low, row.high)]
        assert f" {row.verdict}: {numbers[0]} [{numbers[1]}, {numbers[2]}]" in cells.pop((row.id, row.column))
    assert set(cells.values()) == {"–"}


def test_a_run_that_is_absent_or_of_earlier_code_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="make paper PRESET=demo"):
        readme.num("demo/claims; C1; verdict", tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "claims.csv").write_text("id,verdict\nC1,replicated\n")
    with pytest.raises(InputError, match="earlier code"):
        readme.scorecard("demo", tmp_path)


def test_the_readme_s_example_finds_the_leak_in_x_and_none_in_phi(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (tmp_path / "example.py").write_text(example)
    command, environment = [sys.executable, "example.py"], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    x, _, phi = done.stdout.partition("No leak of emotion was found")
    assert phi and re.search("x (leaks|gives away) emotion", x)


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


def test_every_page_of_docs_is_in_the_site_s_contents():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {line.strip() for block in re.findall(r"```{toctree}(.*?)```", index, re.S) for line in block.splitlines()}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"} <= listed


def test_hooks_take_the_lock_s_versions_and_ci_runs_what_is_run_here():
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    pins = [pin for hook in local["hooks"] for pin in hook["additional_dependencies"]]
    assert len(pins) == 3 and not [pin for pin in pins if pin not in lock]
    entry = local["hooks"][-1]["entry"]  # strips what `make notebooks` does
    assert entry.removeprefix("nbstripout ") in (ROOT / "Makefile").read_text()
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    assert steps[-1] == {"run": ".ci/run"} and os.access(ROOT / ".ci" / "run", os.X_OK)


def test_help_shows_what_a_reader_calls_and_make_s_own_commands_still_run():
    def run(*words):
        command = [sys.executable, "-m", "blindlib", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"COLUMNS": "200"})

    shown = set(re.findall(r"^\W*([a-z]+) {2,}", run("--help").stdout.partition("Commands")[2], re.M))
    assert shown == {"data", "synth", "audit", "embed", "run", "paper", "appendix"}
    called = set(re.findall(r"-m blindlib (\w+)", (ROOT / "Makefile").read_text())) - shown
    assert called - {"tune"} == {"name", "compare", "store", "lab"}
    for name in called - {"tune"}:
        assert run(name, "--help").returncode == 0
    assert re.fullmatch(r"blindlib \d+\.\d+\.\d+\n", run("--version").stdout)


TERMS = (
    *("φ_SN", "φ_LNTL", "LEACE", "Diff", "bits", "whitened", "view", "selected probe", "identity tolerance"),
    *("converged", "development subjects", "TAR", "FAR", "EER", "Eq. Opp.", "paper"),
)


def test_every_term_of_the_scorecard_and_the_tables_is_in_the_glossary_and_the_paper_has_one_name():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"\*\*(.+?)\*\*", text)
    assert set(TERMS) <= set(entries) and len(entries) == len(set(entries))
    table = pd.read_csv(ROOT / "figures" / "demo" / "table1.csv")
    assert {printed_name(name).partition(",")[0] for name in table["representation"]} <= set(entries)
    pages = [*TEXTS, *(ROOT / "notebooks").rglob("*.ipynb"), *(ROOT / "blindlib").rglob("*.py")]
    named = [path.name for path in pages if re.search(r"\bposter", path.read_text(encoding="utf-8"), re.I)]
    assert sorted(named) == ["README.md", "glossary.md", "paper.py"], "once for each reader, as what the paper is"

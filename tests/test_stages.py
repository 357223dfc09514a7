"""Whole runs in other processes: make's graph, failing cells, other settings, a plug-in, nbval that can fail."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import test_notebooks
from conftest import NAMES, environment, make, ran, tables
from expected import checked, printed

from blindlib import stages
from blindlib.appendix.sample_size import compare_claims, compare_probes, probe_emotion, with_more_subjects
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.evaluate.results import load_results
from blindlib.presets import get_preset
from blindlib.study import Study

pytestmark = pytest.mark.slow
EXPECTED = json.loads((ROOT / "tests" / "expected" / "smoke.json").read_text("utf-8"))


@pytest.fixture
def own_copy(undisturbed, tmp_path) -> Path:
    """A copy of that run, with its files' times."""
    for name in ("build", "figures"):
        shutil.copytree(undisturbed / name, tmp_path / name)
    return tmp_path


def test_a_run_leaves_tables_figures_and_a_record(undisturbed):
    assert re.findall(r"(\w+) \(smoke\)", (undisturbed / "log").read_text()) == list(NAMES)
    figures = undisturbed / "figures" / "smoke"
    tables = ("table1", "table2", "claims", "audit")
    pictures = ("contact_sheet", "compound_gallery", "alignment")
    drawn = ("table1_figure", "table2_figure", "bias_sweep", "realism", "roc", "frontier", "framework")
    for name in (*tables, *drawn, *pictures, "training_sensitivenets", "training_lntl"):
        suffixes = ("csv", "md", "tex") if name in tables else ("csv", "png", "pdf")
        for suffix in suffixes[:2] if name in pictures else suffixes:  # of photographs no PDF
            assert (figures / f"{name}.{suffix}").stat().st_size > 60, f"{name}.{suffix}"
    of_demo, here = ({path.stem for path in folder.iterdir()} for folder in (ROOT / "figures" / "demo", figures))
    elsewhere = {"settled", "attackers", "attackers_claims", "ladder", "attack_curves", "collapsed_probe", "appendix"}
    assert not of_demo - here - elsewhere, "smoke runs whatever demo runs"
    record = json.loads((figures / "run.json").read_text())
    assert set(record["seconds"]) == {*NAMES, "total"} and record["data"]["name"] == "SynthFaces"
    assert oct((undisturbed / "build" / "smoke").stat().st_mode)[-3:] == "700"


def test_nothing_changed_runs_nothing_and_a_changed_input_runs_what_follows(own_copy):
    for file in [*(ROOT / "notebooks").glob("0*.ipynb"), ROOT / "blindlib" / "metrics.py", ROOT / "requirements.lock"]:
        os.utime(file)  # as a `git pull` that rewrites equal files
    assert ran(make(own_copy)) == []
    expected, inputs = tables(own_copy), own_copy / "build" / "smoke" / "05_probes.inputs"
    inputs.write_text(inputs.read_text().replace("blindlib/metrics.py", "blindlib/another.py"))
    assert ran(make(own_copy)) == ["05_probes", "06_celeba_fairness"]
    assert tables(own_copy) == expected, "the same seed on the same machine gives the same bytes"


def test_twice_the_subjects_train_the_probes_and_the_same_are_tested(own_copy, monkeypatch):
    for name, folder in (("BLINDLIB_BUILD", "build"), ("BLINDLIB_FIGURES", "figures")):
        monkeypatch.setenv(name, str(own_copy / folder))
    study = Study("smoke")
    more, names = with_more_subjects(study), study.faces.frame["identity"]
    assert np.array_equal(more.x.rows(0, np.arange(len(names))), study.embedded[0].x)
    assert not set(more.faces.frame["identity"][len(names) :]) & set(names), "new subjects"
    before, after = load_results(study.build / "results.csv"), probe_emotion([more.x], more)
    table = compare_probes(before, after).set_index(["representation", "probe"])
    mean = after.query("probe == 'SVM' and metric == 'balanced_accuracy'")["value"].mean()
    assert table.loc[("x", "SVM"), "twice"] == pytest.approx(mean) and ("x", "selected") in table.index
    pairs = before.query("probe == 'SVM'").merge(after, on=["representation", "probe", "rotation", "seed", "metric"])
    added = pairs["n_train_subjects_y"] - pairs["n_train_subjects_x"]
    assert len(pairs) and added.nunique() == 1 and added.iloc[0] == pairs["n_train_subjects_x"].max()
    assert (pairs["n_test_x"] == pairs["n_test_y"]).all()
    claims = compare_claims(before, after, pd.DataFrame(), 0.7, study.preset.bits)
    assert set(claims["id"]) == {"C3", "C4"} and claims["changed"].dtype == bool


def test_what_a_stage_depends_on_is_written_by_content(tmp_path):
    preset = get_preset("smoke")
    stages.write_inputs(preset, "data\n")
    folder = tmp_path / "build" / "smoke"
    texts = {path.stem: path.read_text() for path in folder.glob("*.inputs")}
    assert set(texts) == set(NAMES)
    assert "data" in texts["01_data_prep"] and "requirements.lock" in texts["01_data_prep"]
    assert "blinders/sensitivenets.py" in texts["03_sensitivenets"] and "report/tables.py" not in texts["02_baseline"]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.inputs")}
    stages.write_inputs(preset, "data\n")
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("*.inputs")}, "equal inputs are left alone"
    stages.write_inputs(preset, "other data\n")
    assert [path.stem for path, then in before.items() if path.stat().st_mtime_ns != then] == ["01_data_prep"]


def test_a_run_with_other_settings_has_folders_of_its_own_and_takes_up_an_eraser_from_outside(own_copy, monkeypatch):
    """By make, as the README says; it goes on from a copy of the stages before: only what the eraser changes runs."""
    monkeypatch.setenv("PYTHONPATH", "tests/fixtures")
    changes = "erasers=['LEACE', 'mean_erasure:MeanErasure']"
    preset, before = get_preset("smoke", changes), tables(own_copy)
    for name in ("build", "figures"):
        shutil.copytree(own_copy / name / "smoke", own_copy / name / preset.name)
    done = make(own_copy, f"SETTINGS={changes}")
    assert re.findall(r"^(\w+) \((.+)\)$", done.stderr, re.M) == [(name, preset.name) for name in NAMES[-2:]]
    figures = own_copy / "figures" / preset.name
    one, two, points = (pd.read_csv(figures / f"{name}.csv") for name in ("table1", "table2", "frontier"))
    rows = one[one["representation"] == "means"]
    assert set(rows["domain"]) == set(one["domain"]) and rows["mean"].notna().all() and rows["diff"].notna().all()
    assert two.set_index("representation").loc["means", ["acc", "eq_opp"]].notna().all()
    assert points.set_index("method").loc["means", ["id", "emotion"]].notna().all()
    planted = pd.read_csv(figures / "planted_own.csv").set_index(["method", "leak", "reading"])["value"].sort_index()
    assert planted["means", "linear", "linear"].max() < 60 < planted["x", "linear", "linear"].max()
    assert planted["means", "product", "RBF"].item() > 60, "it takes out means alone"
    assert planted["means", "none"][["linear", "RBF"]].sub(20).abs().max() < 5
    assert "means" in (figures / "table1.md").read_text() and "erasers=" in (figures / "table1.md").read_text()
    record = json.loads((figures / "run.json").read_text())
    assert record["preset"] == "smoke" and record["settings"] == preset.changed
    assert tables(own_copy) == before, "no preset's tables are overwritten"


def test_executed_copies_show_what_the_checked_cells_promise_and_nobody_else_reads_them(undisturbed):
    assert not [path for path in (undisturbed / "build").rglob("*") if path.stat().st_mode & 0o077], "open to others"
    for name, promised in EXPECTED.items():
        executed = nbformat.read(undisturbed / "build" / "smoke" / f"{name}.ipynb", as_version=4)
        shown = [printed(cell) for cell in checked(executed)]
        assert shown == promised, f"{name}: run `make expected` and read what changed"
        assert not any("papermill" in part.metadata for part in (executed, *executed.cells))
        outputs = [output for cell in test_notebooks.code(executed) for output in cell.outputs]
        told = [text for text in map(test_notebooks.words, outputs) if test_notebooks.MACHINE.search(text)]
        assert not told, f"{name} names a folder of this machine"


def test_a_run_s_outputs_are_stored_in_the_notebooks(undisturbed, tmp_path, monkeypatch):
    """The notebooks that a real run gives, by the same tests' measures: `tests/test_notebooks.py` is of the demo's."""
    for name in ("build", "figures"):
        monkeypatch.setenv(f"BLINDLIB_{name.upper()}", str(undisturbed / name))
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    assert stages.store_outputs(get_preset("smoke"), tmp_path / "notebooks") == []
    for path in sorted((tmp_path / "notebooks").glob("0*.ipynb")):
        told = nbformat.read(path, as_version=4).metadata["blindlib"]
        assert told["preset"] == "smoke"
        test_notebooks.test_a_committed_notebook_is_small_and_tells_nothing_of_a_machine(path)


def checked_copy(name: str, folder: Path, texts: list[list[str]]) -> Path:
    """A committed notebook with the parameters of preset smoke, and lines for nbval to compare with."""
    copy = folder / f"{name}.ipynb"
    parameters = {"PRESET": "smoke"}
    source = str(ROOT / "notebooks" / copy.name)
    papermill.execute_notebook(source, str(copy), parameters, prepare_only=True, progress_bar=False)
    notebook = nbformat.read(copy, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], 1  # a cell that did not run is not compared
    for cell, lines in zip(checked(notebook), texts, strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="\n".join(lines) + "\n")]
    nbformat.write(notebook, copy)
    return copy


@pytest.mark.parametrize("name", NAMES)
def test_nbval_finds_the_stored_outputs_again(own_copy, name):
    done = run_nbval(checked_copy(name, own_copy, EXPECTED[name]), own_copy)
    assert done.returncode == 0, done.stdout[-3000:]


def run_nbval(notebook: Path, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--nbval-lax",
            "--nbval-cell-timeout=300",
            "-p",
            "kernels_by_ipc",
            "-p",
            "no:cacheprovider",
            str(notebook),
        ],
        cwd=folder,
        env={**environment(folder), "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))},
        capture_output=True,
        text=True,
    )


def test_nbval_turns_red_when_a_stored_number_changes(own_copy):
    name = "02_baseline"
    text = json.dumps(EXPECTED[name])
    shown = re.search(r"x \((\d+), 256\)", text)
    changed = json.loads(text.replace(shown[0], shown[0].replace(shown[1], f"9{shown[1]}", 1)))
    red = run_nbval(checked_copy(name, own_copy, changed), own_copy)
    assert red.returncode == 1 and f"9{shown[1]}, 256" in red.stdout and "1 failed" in red.stdout


def test_a_failing_cell_is_named_and_its_notebook_left_to_read(tmp_path):
    cells = [
        nbformat.v4.new_code_cell('PRESET = "smoke"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print('before')"),
        nbformat.v4.new_code_cell("1 / 0"),
    ]
    broken = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
    )
    nbformat.write(broken, tmp_path / "09_broken.ipynb")
    with pytest.raises(InputError, match=r"09_broken.ipynb, cell 4: ZeroDivisionError: division by zero"):
        stages.run_stage(tmp_path / "09_broken.ipynb", get_preset("smoke"))
    folder = tmp_path / "build" / "smoke"
    assert "before" in (folder / "09_broken.running.ipynb").read_text() and not (folder / "09_broken.ipynb").exists()


def test_a_stage_runs_the_code_whose_digests_are_written_down_and_no_other_blindlib(tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "blindlib").mkdir(parents=True)
    (tmp_path / "elsewhere" / "blindlib" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    cells = [
        nbformat.v4.new_code_cell('PRESET = "smoke"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import blindlib\n\nprint(blindlib.__file__)"),
    ]
    kernel = {"name": "python3", "display_name": "p", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "09_where.ipynb")
    done = stages.run_stage(tmp_path / "09_where.ipynb", get_preset("smoke"))
    assert nbformat.read(done, as_version=4).cells[-1].outputs[0].text.strip() == str(ROOT / "blindlib" / "__init__.py")


def test_a_notebook_without_the_parameter_is_refused(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "09_none.ipynb")
    with pytest.raises(InputError, match="no parameter PRESET"):
        stages.run_stage(tmp_path / "09_none.ipynb", get_preset("smoke"))


def test_without_data_make_stops_with_one_clear_message(tmp_path):
    done = subprocess.run(
        ["make", "paper", "PRESET=open", f"PY={sys.executable}"],
        cwd=ROOT,
        text=True,
        env={**environment(tmp_path), "BLINDLIB_LFW": str(tmp_path / "nowhere")},
        capture_output=True,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode != 0 and len(errors) == 1
    assert "nowhere" in errors[0] and "blindlib data fetch lfw" in errors[0] and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [["run", "notebooks/01_data_prep.ipynb", "--preset", "nope"], ["inputs", "--preset", "nope"]],
)
def test_the_command_line_refuses_an_unknown_preset_in_one_line(words):
    done = subprocess.run([sys.executable, "-m", "blindlib", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: preset: there is no preset 'nope'")
    assert len(done.stderr.splitlines()) == 1


def test_data_status_is_a_table_of_every_data_set():
    done = subprocess.run(
        [sys.executable, "-m", "blindlib", "data", "status"],
        capture_output=True,
        text=True,
        env={**os.environ, "BLINDLIB_LFW": "nowhere"},
    )
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("LFW", "licence", "folder", "address", "blindlib data fetch lfw", "✗"))

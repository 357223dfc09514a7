"""What a stage left and somebody lost or damaged, `make paper` makes again: by make itself, with made-up stages."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from conftest import NAMES, environment, ran, tables

from blindlib.common.files import ROOT, damage

pytestmark = [pytest.mark.slow, pytest.mark.long]
# Stands for Python in make's rules: all of blindlib's is as it is, but a stage writes two small files.
SCRIPT = f"""#!{sys.executable}
import sys, time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["blindlib", *sys.argv[3:]]
sys.modules["papermill"] = SimpleNamespace(inspect_notebook=lambda _: {{"PRESET": 0}})
sys.modules["papermill.exceptions"] = SimpleNamespace(PapermillExecutionError=type("Failed", (Exception,), {{}}))
from blindlib import cli, stages
from blindlib.common.files import build_dir, figures_dir, write_json, write_text

def execute(notebook, running, parameters):
    content = (Path(__file__).parent / "content").read_text() if notebook.stem[1] == "2" else "a,b\\n1,2\\n"
    for folder in (build_dir("smoke"), figures_dir("smoke")):
        write_text(folder / f"{{notebook.stem}}_table.csv", content)
    running.write_text(f'{{{{"ran": {{time.time()}}}}}}')

def record(preset):
    path = write_json(figures_dir("smoke") / "run.json", {{"at": time.time()}})
    stages.write_left("smoke", path.stem, {{path: path}})
    return path

stages._execute, stages.write_record = execute, record
cli.main()
"""


def make_it(folder: Path) -> subprocess.CompletedProcess:
    words = ["make", "paper", "PRESET=smoke", f"PY={folder / 'python'}"]
    done = subprocess.run(words, cwd=ROOT, text=True, env=environment(folder), capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run of made-up stages."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "python").write_text(SCRIPT)
    (folder / "python").chmod(0o755)
    (folder / "content").write_text("a,b\n1,2\n")
    assert ran(make_it(folder)) == list(NAMES) and ran(make_it(folder)) == []
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of that run; called, it runs make again and gives what it says."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return partial(make_it, tmp_path)


LOST = {
    "build/smoke/01_data_prep_table.csv": ["01_data_prep"],
    "figures/smoke/05_probes_table.csv": ["05_probes"],
    "build/smoke/03_sensitivenets.json": ["03_sensitivenets"],
    "build/smoke/04_lntl.left": ["04_lntl", "05_probes", "06_celeba_fairness"],  # nobody knows what it left before
    "build/smoke/06_celeba_fairness.ipynb": ["06_celeba_fairness"],
    "build/smoke/.sums/02_baseline_table.csv": [],  # the stage's list knows the bytes, and the sum is written again
    "figures/smoke/run.json": [],
}


def flipped(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_or_damaged_is_made_again_and_nothing_else_is(run, tmp_path, name):
    expected, path = tables(tmp_path), tmp_path / name
    for spoil in (Path.unlink, flipped):
        spoil(path)
        done = run()
        assert ran(done) == LOST[name], spoil
        if name.endswith((".csv", ".json")) and "run.json" not in name and ".sums" not in name:
            assert f"note: {path}: " in done.stderr and f"→ {LOST[name][0]} runs again" in done.stderr
        assert path.exists() and damage(tmp_path / "build" / "smoke" / "02_baseline_table.csv") == ""
        assert tables(tmp_path) == expected and ran(run()) == [], "and once"


def test_later_stages_follow_where_a_stage_leaves_other_bytes_than_before(run, tmp_path):
    (tmp_path / "content").write_text("a,b\n3,4\n")
    (tmp_path / "build" / "smoke" / "02_baseline_table.csv").unlink()
    assert ran(run()) == list(NAMES[1:]) and ran(run()) == []


def test_a_changed_input_still_runs_what_follows_whatever_it_leaves(run, tmp_path):
    inputs = tmp_path / "build" / "smoke" / "03_sensitivenets.inputs"
    inputs.write_bytes(b"\xff\xfe garbage")
    assert ran(run()) == ["03_sensitivenets", "05_probes", "06_celeba_fairness"] and ran(run()) == []


def test_a_build_folder_of_an_earlier_version_runs_anew(run, tmp_path):
    for left in (tmp_path / "build" / "smoke").glob("*.left"):
        left.unlink()
    for sums in (tmp_path / "build" / "smoke" / ".sums").iterdir():
        sums.unlink()
    done = run()
    assert ran(done) == list(NAMES) and done.stderr.count("→ ") >= 6 and ran(run()) == []


def test_a_figure_that_somebody_rewrote_is_drawn_again(run, tmp_path):
    figure = tmp_path / "figures" / "smoke" / "06_celeba_fairness_table.csv"
    figure.write_text("a,b\n9,9\n")
    done = run()
    assert "holds other bytes than 06_celeba_fairness left → 06_celeba_fairness runs again" in done.stderr
    assert figure.read_text() == "a,b\n1,2\n"


def test_a_damaged_record_is_written_again(run, tmp_path):
    record = tmp_path / "figures" / "smoke" / "run.json"
    os.truncate(record, 4)
    done = run()
    assert ran(done) == [] and f"note: {record}: " in done.stderr and record.read_text().startswith('{\n "at"')

"""The one shared run of preset smoke: what it prints, what it leaves, and that nbval finds its outputs again."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from conftest import NAMES, environment
from expected import checked, printed

from blindlib.common.files import ROOT

pytestmark = pytest.mark.slow
EXPECTED = json.loads((ROOT / "tests" / "expected" / "smoke.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_the_checked_cells_print_what_is_expected(undisturbed, name):
    notebook = nbformat.read(undisturbed / "build" / "smoke" / f"{name}.ipynb", as_version=4)
    assert [printed(cell) for cell in checked(notebook)] == EXPECTED[name], "run `make expected`"


def test_the_first_line_tells_how_long_and_the_last_lines_are_tables_and_verdicts(undisturbed):
    lines = (undisturbed / "log").read_text("utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("make")]  # of a make within a make
    assert lines[0].startswith("6 stages") and "2/6 Baseline x" in lines
    text = "\n".join(lines)
    assert re.search(r"(?s)Table 1: .*Table 2: .*The paper's claims", text)
    for table in ("table1", "table2", "claims"):
        assert len(pd.read_csv(undisturbed / "figures" / "smoke" / f"{table}.csv")) > 5


def run_nbval(folder, *names: str) -> subprocess.CompletedProcess:
    words = ["-q", "--nbval-lax", "--nbval-cell-timeout=300", "-p", "kernels_by_ipc", "-p", "no:cacheprovider"]
    notebooks = [str(folder / "build" / "smoke" / f"{name}.ipynb") for name in names]
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    command = [sys.executable, "-m", "pytest", *words, *notebooks]
    place = folder / "build" / "smoke"  # the kernels' sockets lie there, and nbval looks for them where it starts
    return subprocess.run(command, cwd=place, env=environment(folder) | paths, capture_output=True, text=True)


def test_nbval_finds_the_outputs_again_and_a_changed_number_is_red(undisturbed, tmp_path):
    for place in ("build", "figures"):
        shutil.copytree(undisturbed / place, tmp_path / place, dirs_exist_ok=True)
    green = run_nbval(tmp_path, *NAMES)
    assert green.returncode == 0, green.stdout[-3000:]
    baseline = tmp_path / "build" / "smoke" / f"{NAMES[1]}.ipynb"
    text = baseline.read_text("utf-8")
    changed = re.sub(r'"x \((\d+), 256\)', r'"x (9\1, 256)', text)
    assert changed != text
    baseline.write_text(changed, "utf-8")
    red = run_nbval(tmp_path, NAMES[1])
    assert red.returncode == 1 and "1 failed" in red.stdout, red.stdout[-3000:]

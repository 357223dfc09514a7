"""What a stage left is known in a folder of any name, and goes by content where the clock was wrong."""

import os
import time

import pytest

from blindlib import stages
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT, build_dir, figures_dir, write_text
from blindlib.common.left import bring_to_now, lost
from blindlib.presets import get_preset

SMOKE, NAMES = get_preset("smoke"), ("01_data_prep", "02_baseline")
YEAR = 365 * 24 * 3600


def run_two(monkeypatch) -> None:
    """Two stages that write a table each into both folders, in place of what their notebooks do."""

    def execute(notebook, running, _):
        for folder in (build_dir("smoke"), figures_dir("smoke")):
            write_text(folder / f"{notebook.stem}_table.csv", "a\n1\n")
        running.write_text("{}")

    monkeypatch.setattr(stages, "_execute", execute)
    monkeypatch.setattr(stages, "_parameters_of", lambda _: {"PRESET": 0})
    for name in NAMES:
        write_text(build_dir("smoke") / f"{name}.inputs", f"what {name} depends on")
        stages.run_stage(ROOT / "notebooks" / f"{name}.ipynb", SMOKE)
    assert stages.set_back(SMOKE) == []


@pytest.mark.parametrize("name", ["two\nlines", "a\u2028separator", "caf\udce9", "a\x85b"])
def test_what_is_lost_is_noticed_in_a_folder_of_any_name(tmp_path, monkeypatch, name):
    try:
        (tmp_path / name).mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    monkeypatch.setenv("BLINDLIB_BUILD", str(tmp_path / name))
    monkeypatch.setenv("BLINDLIB_FIGURES", str(tmp_path / f"figures of {name}"))
    run_two(monkeypatch)
    (build_dir("smoke") / "01_data_prep_table.csv").unlink()
    (figures_dir("smoke") / "02_baseline_table.csv").write_text("a\n2\n")
    assert lost("smoke", "01_data_prep").endswith("01_data_prep_table.csv: not found")
    assert lost("smoke", "02_baseline").endswith("02_baseline_table.csv: holds other bytes than 02_baseline left")


def test_a_changed_input_runs_its_stage_again_whatever_the_clock_says(monkeypatch):
    run_two(monkeypatch)
    build, later = build_dir("smoke"), time.time() + YEAR
    for file in build.glob("0*.*"):
        os.utime(file, (later, later))
    write_text(build / "02_baseline.inputs", "something else")
    assert stages.set_back(SMOKE) == [f"{build}/02_baseline.inputs: has changed since → 02_baseline runs again"]
    assert not (build / "02_baseline.ipynb").exists() and (build / "01_data_prep.ipynb").exists()
    assert max(file.stat().st_mtime for file in build.glob("0*.*")) <= time.time(), "make goes by times"


def test_what_is_of_the_future_keeps_its_order(monkeypatch):
    run_two(monkeypatch)
    record = write_text(figures_dir("smoke") / "run.json", "{}")
    done, later = [*(build_dir("smoke") / f"{name}.ipynb" for name in NAMES), record], time.time() + YEAR
    for wait, file in enumerate(done):
        os.utime(file, (later + wait,) * 2)
    bring_to_now([*done, build_dir("smoke") / "renamed meanwhile.ipynb"])
    times = [file.stat().st_mtime_ns for file in done]
    assert times == sorted(set(times)) and times[-1] <= time.time_ns()


def test_what_changes_while_a_stage_runs_runs_it_again(monkeypatch):
    run_two(monkeypatch)
    inputs = build_dir("smoke") / "01_data_prep.inputs"

    def execute(_, running, parameters):
        running.write_text("{}")
        write_text(inputs, "changed in the midst of it")

    monkeypatch.setattr(stages, "_execute", execute)
    stages.run_stage(ROOT / "notebooks" / "01_data_prep.ipynb", SMOKE)
    assert len(stages.set_back(SMOKE)) == 1 and not inputs.with_suffix(".ipynb").exists()


def test_a_failed_stage_leaves_what_the_earlier_run_left(monkeypatch):
    run_two(monkeypatch)

    def execute(*_):
        raise InputError("a cell", "fails", "mend it")

    monkeypatch.setattr(stages, "_execute", execute)
    with pytest.raises(InputError, match="fails"):
        stages.run_stage(ROOT / "notebooks" / "01_data_prep.ipynb", SMOKE)
    assert stages.set_back(SMOKE) == []

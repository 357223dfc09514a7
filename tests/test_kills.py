"""A run that is killed ends with the bytes of one that was not; at random moments: `scripts/kills.py`."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import kills
import pytest
from conftest import NAMES

pytestmark = pytest.mark.slow


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "make ended before it could be killed"
        assert time.monotonic() < end, "the moment to kill never came"
        time.sleep(0.005)


def cell_is_running(folder: Path, name: str, tag: str) -> bool:
    """Whether papermill has marked the tagged cell as running."""
    try:
        cells = json.loads((folder / "build" / "smoke" / f"{name}.running.ipynb").read_text())["cells"]
    except (OSError, ValueError):
        return False
    return any(
        tag in cell["metadata"].get("tags", []) and cell["metadata"]["papermill"]["status"] == "running"
        for cell in cells
    )


def test_killed_in_a_stage_it_loses_that_stage_alone(undisturbed, tmp_path):
    for name in ("build", "figures"):
        shutil.copytree(undisturbed / name, tmp_path / name)
    for lost in ("build/smoke/05_probes.ipynb", "figures/smoke/run.json"):
        (tmp_path / lost).unlink()
    own = kills.environment(tmp_path)
    kill_at(lambda: cell_is_running(tmp_path, "05_probes", "measure"), own, tmp_path)
    assert finish(own, tmp_path) == ["05_probes"], "06 reads the same bytes as before"
    assert kills.products(tmp_path) == kills.products(undisturbed), "not the same bytes"


def kill_at(moment, own: dict[str, str], folder: Path) -> None:
    """Start a run, kill -9 its group at a moment, and see that nothing of it lives on and that it left no record."""
    process = kills.start(own, folder / "log")
    try:
        wait_for(moment, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except AssertionError:
        kills.end(own)
        raise
    assert kills.left_after(own) == [], "a process that outlives its parent"
    assert not (folder / "figures" / "smoke" / "run.json").exists()


def finish(own: dict[str, str], folder: Path) -> list[str]:
    """The stages that a run which is left alone still runs; nothing of it is left."""
    assert kills.wait_for(own, folder / "log") == 0
    assert kills.left_after(own) == [] and kills.litter(own) == []
    return [name for name in NAMES if f"{name} (smoke)" in (folder / "log").read_text()]


@pytest.mark.long
def test_killed_in_extraction_and_in_training_it_ends_with_the_same_tables(undisturbed, tmp_path):
    moments = [
        lambda: list((tmp_path / "build" / "embeddings").glob("*.partial")),
        lambda: cell_is_running(tmp_path, "03_sensitivenets", "train"),
        lambda: cell_is_running(tmp_path, "05_probes", "measure"),
    ]
    own = kills.environment(tmp_path)
    for moment in moments:
        kill_at(moment, own, tmp_path)
    assert finish(own, tmp_path) == ["05_probes", "06_celeba_fairness"], "only the stage that was running is lost"
    assert kills.products(tmp_path) == kills.products(undisturbed), "not the same bytes"
    assert not list((tmp_path / "build").rglob("*.partial"))

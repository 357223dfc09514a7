"""A run that is killed at three moments ends with the bytes of one that was not; at random ones: `scripts/kills.py`."""

import json
import os
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


def test_killed_in_extraction_and_in_training_it_ends_with_the_same_tables(undisturbed, tmp_path):
    moments = [
        lambda: list((tmp_path / "build" / "embeddings").glob("*.partial")),
        lambda: cell_is_running(tmp_path, "03_sensitivenets", "train"),
        lambda: cell_is_running(tmp_path, "05_probes", "measure"),
    ]
    own = kills.environment(tmp_path)
    for moment in moments:
        process = kills.start(own, tmp_path / "log")
        wait_for(moment, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert kills.left_after(own) == [], "a process that outlives its parent"
        assert not (tmp_path / "figures" / "smoke" / "run.json").exists()
    process = kills.start(own, tmp_path / "log")
    assert process.wait() == 0
    assert [name for name in NAMES if f"{name} (smoke)" in (tmp_path / "log").read_text()] == [
        "05_probes",
        "06_celeba_fairness",
    ], "only the stage that was running is lost"
    assert kills.products(tmp_path) == kills.products(undisturbed), "not the same bytes"
    assert kills.left_after(own) == [] and kills.litter(own) == []
    assert not list((tmp_path / "build").rglob("*.partial"))

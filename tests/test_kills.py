"""A run that is killed at three moments ends with the tables of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import environment, make, ran, tables

from blindlib.common.files import ROOT

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
    for moment in moments:
        process = subprocess.Popen(
            ["make", "paper", "PRESET=smoke", f"PY={sys.executable}"],
            cwd=ROOT,
            env=environment(tmp_path),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(moment, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "figures" / "smoke" / "run.json").exists()
    done = make(tmp_path)
    assert ran(done) == ["05_probes", "06_celeba_fairness"], "only the stage that was running is lost"
    assert tables(tmp_path) == tables(undisturbed)
    leftovers = [p for p in (tmp_path / "build").rglob("*") if p.name.endswith((".partial", ".running.ipynb"))]
    assert not leftovers

"""Shared fixtures: a tiny LFW of noise, and where the real photographs are."""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from filelock import FileLock
from PIL import Image

from blindlib import pipeline
from blindlib.common.files import ROOT, dataset_dir, sha256
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.data.readers.lfw import FOLDERS

NAMES = ("01_data_prep", "02_baseline", "03_sensitivenets", "04_lntl", "05_probes", "06_celeba_fairness")


@pytest.fixture(autouse=True)
def _own_build(tmp_path, monkeypatch):
    """No test writes into the checkout's build or figures."""
    monkeypatch.setenv("BLINDLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setenv("BLINDLIB_FIGURES", str(tmp_path / "figures"))


def once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """A folder that the first of pytest's processes to ask for it fills, for all of them; not to be written to."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / f"{name}.lock"):
        folder = base / name
        if not (base / f"{name}.done").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a first try that failed
            folder.mkdir()
            fill(folder)
            (base / f"{name}.done").touch()
    return folder


def environment(folder: Path) -> dict:
    """This environment, with build and figures in a folder."""
    return {**os.environ, "BLINDLIB_BUILD": str(folder / "build"), "BLINDLIB_FIGURES": str(folder / "figures")}


def make(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess:
    """`make paper PRESET=smoke` into a folder."""
    done = subprocess.run(
        ["make", "paper", "PRESET=smoke", f"PY={sys.executable}", *words],
        cwd=ROOT,
        text=True,
        env=environment(folder),
        capture_output=True,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def ran(done: subprocess.CompletedProcess) -> list[str]:
    titles = {f"{number}/6 {title}": name for number, (name, title, *_) in enumerate(pipeline._PAPER, 1)}
    return [titles[line] for line in done.stdout.splitlines() if line in titles]


def alive(mark: str) -> list[psutil.Process]:
    """The processes whose environment carries a mark, MARK=…."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("MARK") == mark:
                found.append(process)
    return found


def left_after(mark: str, seconds: float = 5) -> list[psutil.Process]:
    """What is alive after so many seconds, or nothing as soon as nothing is."""
    end = time.monotonic() + seconds
    while (found := alive(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def tables(folder: Path) -> dict[str, bytes]:
    files = [*(folder / "figures" / "smoke").glob("*.csv"), *(folder / "build" / "smoke").glob("*.csv")]
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Path:
    """One smoke run, shared by all tests that look at it; they copy what they change."""
    return once(tmp_path_factory, "undisturbed", lambda folder: (folder / "log").write_text(make(folder).stdout))


def save_noise(path: Path, seed: int, side: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=95)


def many_faces(root: Path, rows: int) -> FaceTable:
    """A table of many rows: hard links to eight small pictures of noise."""
    pictures = [root / f"picture{n}.jpg" for n in range(8)]
    for n, picture in enumerate(pictures):
        save_noise(picture, n, side=24)
    hashes = [sha256(picture) for picture in pictures]
    frame = pd.DataFrame({"image": [f"{row:06d}.jpg" for row in range(rows)], "identity": "one"})
    for row, image in enumerate(frame["image"]):
        os.link(pictures[row % 8], root / image)
    frame["sha256"] = [hashes[row % 8] for row in range(rows)]
    return make_facetable(frame, root, name="many", provenance="substitute")


@pytest.fixture
def lfw(tmp_path) -> Path:
    """LFW's layout with 4 people of 2 images, 2 folds of one same and one different pair, labels."""
    root = tmp_path / "lfw-root"
    for n, name in enumerate(("Ann_A", "Bob_B", "Cy_C", "Di_D")):
        for k in (1, 2):
            save_noise(root / "lfw" / name / f"{name}_{k:04d}.jpg", 10 * n + k)
    (root / "pairs.txt").write_text("2\t1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t2\nCy_C\t1\t2\nCy_C\t2\tDi_D\t1\n")
    (root / "legend.csv").write_text(
        "user.id,image,emotion\n1,Ann_A_0001.jpg,neutral\n1,Ann_A_0001.jpg,NEUTRAL\n2,Ann_A_0002.jpg,Happiness\n"
        "2,Bob_B_0001.jpg,anger\n2,Bob_B_0001.jpg,fear\n3,facial-expressions_1k.jpg,anger\n"
    )
    names = [
        "#",
        "person",
        "imagenum",
        "Male",
        "Asian",
        "White",
        "Black",
        "Indian",
        "Smiling",
        "Attractive Man",
        "Attractive Woman",
    ]
    rows = [
        ["Ann A", 1, -1.0, -1, 2, -1, -2, 0.5, -3, 1.5],
        ["Ann A", 2, 0.4, -1, 2, -1, -2, -0.5, 3, -1.5],
        ["Bob B", 1, 1.0, -1, -2, -1, 0.3, 0.5, 0.2, -1.5],
        ["No One", 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ]
    lines = ["# scores", "\t".join(names), *("\t".join(map(str, row)) for row in rows)]
    (root / "lfw_attributes.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def real_lfw(monkeypatch) -> Path:
    """The real photographs, or skip."""
    root = dataset_dir("lfw")
    if not any((root / name).is_dir() for name in FOLDERS):
        pytest.skip(f"no LFW in {root}: run `blindlib data fetch lfw` or set BLINDLIB_LFW")
    return root


@pytest.fixture(scope="session")
def miniatures(tmp_path_factory) -> Path:
    """Every data set in its true layout, of rendered faces; not to be written to."""
    from miniatures import write_miniatures

    return once(tmp_path_factory, "miniatures", lambda folder: write_miniatures(folder / "data", people=2)) / "data"


def pytest_collection_modifyitems(items):
    """The files with the most whole runs first, so that pytest's processes end at about the same time.

    What is marked `long` skips, unless it is asked for.
    """
    if not os.environ.get("BLINDLIB_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="BLINDLIB_LONG=1 runs it"))
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])

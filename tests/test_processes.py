"""Nothing outlives its parent, Ctrl-C is one line, litter goes, build/ is its owner's alone, kernels have no port."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import kills
import nbformat
import numpy as np
import pandas as pd
import pytest

from blindlib.common import files, litter
from blindlib.common.files import ROOT, atomic_folder, atomic_path, remove_litter_of, write_csv
from blindlib.common.litter import scratch_folder
from blindlib.common.processes import INTERRUPTED

# What a worker does: it tells that it is there, and stays in native code that keeps all threads of Python from running.
HELD = """
import ctypes, pathlib
def hold(number):
    pathlib.Path(__file__).with_name(f"there{number}").touch()
    ctypes.PyDLL(None).sleep(60)
def wait(number):
    pathlib.Path(__file__).with_name(f"there{number}").touch()
"""
POOL = """
from blindlib.backbones.extraction import worker_pool
from held import hold
with worker_pool(2) as pool:
    list(pool.map(hold, [0, 1]))
"""
IDLE = """
import time
from blindlib.backbones.extraction import worker_pool
from held import wait
with worker_pool(2) as pool:
    list(pool.map(wait, [0, 1]))
    time.sleep(60)
"""
LOKY = """
import os, time
os.environ["BLINDLIB_SCHEDULER"] = "loky"
from blindlib.common.work import spread
from held import wait
spread(wait, [0, 1])
time.sleep(60)
"""
NOTEBOOK = """
import pathlib
from blindlib.presets import get_preset
from blindlib.stages import run_stage
run_stage(pathlib.Path("09_held.ipynb"), get_preset("smoke"))
"""
KERNEL = """
from blindlib.backbones.extraction import worker_pool
from held import hold, wait
pool = worker_pool(2)
list(pool.__enter__().map(wait, [0, 1]))
hold(2)
"""


@pytest.fixture
def place(tmp_path) -> dict[str, str]:
    """The environment of processes that are found again, and their folder: HOME."""
    (tmp_path / "held.py").write_text(HELD)
    path = os.pathsep.join((str(ROOT), str(tmp_path)))
    return kills.environment(tmp_path) | {"PYTHONPATH": path, "HOME": str(tmp_path)}


@pytest.fixture(autouse=True)
def _sigint_as_in_a_terminal():
    """Who starts the tests in the background has SIGINT ignored, and what they start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def started(own: dict[str, str], *command: str):
    """A process group, and its output; at the end nothing of it is left, whatever went wrong."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, cwd=own["HOME"], env=own, **options)
    try:
        yield process
    finally:
        kills.end(own)
        process.wait()
        process.stdout.close()


def until(condition, process: subprocess.Popen, seconds: float = 120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def notebook_of(folder: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in ('PRESET = "smoke"', *sources)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "09_held.ipynb")
    return folder / "09_held.ipynb"


@pytest.mark.parametrize(("script", "count"), [(POOL, 2), (IDLE, 2), (LOKY, 2), (NOTEBOOK, 3)])
def test_no_process_outlives_a_parent_that_is_killed(place, tmp_path, script, count):
    """Workers and kernels that idle, and those in native code, where no thread of theirs could look."""
    notebook_of(tmp_path, KERNEL)
    with started(place, sys.executable, "-c", script) as process:
        until(lambda: len(list(tmp_path.glob("there*"))) == count, process)
        assert len(kills.alive(place)) >= min(count, 2) + 1
        process.kill()
        assert kills.left_after(place) == []


def test_a_worker_whose_parent_is_gone_before_it_looks_ends_itself():
    code = "from blindlib.common.processes import end_with_parent; end_with_parent(1 << 30); print('on')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout


def test_what_one_make_started_by_another_runs_ends_with_the_first(place, tmp_path):
    run = f"{sys.executable} -c 'import time; from blindlib.common.processes import end_with_parent as e; e(); "
    run += 'open("there", "w"); time.sleep(60)\''
    (tmp_path / "Makefile").write_text(f"all:\n\t@$(MAKE) below\nbelow:\n\t@{run}\n")
    with started(place, "make") as process:
        until((tmp_path / "there").exists, process)
        assert len(kills.alive(place)) >= 3
        process.kill()
        assert kills.left_after(place) == []


def two_seconds() -> float:
    """Two seconds of a machine that has a core for each process; more where they wait for each other."""
    return 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def interrupted(place: dict[str, str], ready, *command: str) -> tuple[list[str], int]:
    """What a command says after Ctrl-C in a terminal, without bars of progress, and its exit code."""
    with started(place, *command) as process:
        until(lambda: ready(process), process)
        os.killpg(process.pid, signal.SIGINT)
        start = time.monotonic()
        process.wait(30)
        assert time.monotonic() - start < two_seconds()
        assert kills.left_after(place, two_seconds()) == []
        text = process.stdout.read()
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip() and not re.search(r"\d+%\|", line)]
    return lines, process.returncode


def begun(process: subprocess.Popen, seconds: float):
    """Whether Python is far enough to take signals, and so many seconds have gone by."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())[1]
    return int(caught, 16) & 1 << signal.SIGINT - 1 and time.time() - process.began > seconds


def after(seconds: float):
    def ready(process):
        process.began = getattr(process, "began", time.time())
        return begun(process, seconds)

    return ready


def test_ctrl_c_does_not_reach_what_is_being_imported(place, tmp_path):
    """As the start of PyTorch's native code, which aborts the process where an exception comes out of a callback."""
    (tmp_path / "native.py").write_text(
        "import os, time\nopen('there', 'w')\ntry:\n    time.sleep(9)\nexcept KeyboardInterrupt:\n    os.abort()\n"
    )
    script = "from blindlib.common.processes import one_line_when_interrupted as one\nwith one():\n    import native"
    lines, code = interrupted(place, lambda _: (tmp_path / "there").exists(), sys.executable, "-c", script)
    assert lines == [INTERRUPTED] and code == 130


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("seconds", [0.3, 2, 6])
@pytest.mark.parametrize("what", ["synth", "audit"])
def test_ctrl_c_ends_a_command_in_one_line_and_leaves_nothing(place, tmp_path, what, seconds):
    if what == "audit":
        people = np.repeat(np.arange(400), 4)
        np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(1600, 64)).astype(np.float32))
        pd.DataFrame({"identity": people, "label": people % 2}).to_csv(tmp_path / "labels.csv", index=False)
        words = ["x.npy", "--labels", "labels.csv", "--out", "report", "--hide", "label"]
    else:
        words = ["--out", "faces", "--identities", "5000"]
    lines, code = interrupted(place, after(seconds), sys.executable, "-m", "blindlib", what, *words)
    assert lines == [INTERRUPTED] and code == 130
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


SLOW_SERVER = """
import threading, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200), self.send_header("Content-Length", "9"), self.end_headers()
        self.wfile.write(b"half"), self.wfile.flush()
        threading.Event().wait(60)
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
from blindlib.data import download
download.COLLECTIONS["lfw"] = (download.Remote("a", f"http://127.0.0.1:{server.server_port}/a", "0" * 64),)
sys.argv[1:] = ["data", "fetch", "lfw"]
from blindlib.__main__ import main
main()
"""


def test_ctrl_c_ends_a_download_in_one_line_and_what_came_is_kept(place, tmp_path):
    place["BLINDLIB_LFW"] = str(tmp_path / "lfw")
    ready = lambda _: (tmp_path / "lfw" / ".a.part").exists()  # noqa: E731
    lines, code = interrupted(place, ready, sys.executable, "-c", SLOW_SERVER)
    assert lines[1:] == [INTERRUPTED] and lines[0].startswith("a: http://127") and code == 130
    assert [path.name for path in (tmp_path / "lfw").iterdir()] == [".a.part"]


@pytest.mark.parametrize(("work", "processes"), [(POOL, 4), (LOKY, 5)])  # two workers, and one or two trackers
def test_ctrl_c_does_not_reach_workers_that_are_starting(place, work, processes):
    """By a run of worker processes in the foreground, as `blindlib embed` has."""
    script = f"from blindlib.common.processes import one_line_when_interrupted as one\nwith one():\n  exec({work!r})"
    ready = lambda _: len(kills.alive(place)) == processes  # noqa: E731
    assert interrupted(place, ready, sys.executable, "-c", script) == ([INTERRUPTED], 130)


@pytest.mark.parametrize("ignored", [True, False])
def test_a_command_in_the_background_and_a_library_keep_their_own_ctrl_c(ignored):
    code = "import signal; from blindlib.common.processes import one_line_when_interrupted as one\n"
    code += f"signal.signal(signal.SIGINT, signal.{'SIG_IGN' if ignored else 'default_int_handler'})\n"
    code += "before = signal.getsignal(signal.SIGINT)\nwith one():\n  inside = signal.getsignal(signal.SIGINT)\n"
    code += "assert signal.getsignal(signal.SIGINT) is before; print(inside is before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{ignored}\n"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("moment", ["", "01_data_prep (smoke)", "Executing:  1"])
def test_ctrl_c_ends_make_in_one_line_of_ours_and_no_kernel_is_left(place, moment):
    log = Path(place["HOME"], "log")
    process = kills.start(place, log)
    try:
        until(lambda: moment in log.read_text() and len(kills.alive(place)) > 1, process)
        time.sleep(1.5)
        os.killpg(process.pid, signal.SIGINT)
        start = time.monotonic()
        assert process.wait(30) != 0 and time.monotonic() - start < two_seconds()
        assert kills.left_after(place, two_seconds()) == []
    finally:
        kills.end(place)
    text = log.read_text()
    said = text[text.index(INTERRUPTED) :].splitlines()
    assert said[0] == INTERRUPTED and all(line.startswith("make") for line in said[1:]) and len(said) <= 4, said
    assert list(Path(place["TMPDIR"]).iterdir()) == []


CUT = """
import os, sys
from pathlib import Path
from blindlib.common.files import atomic_folder, atomic_path
from blindlib.common.litter import scratch_folder
with atomic_path(Path("a.csv")), atomic_folder(Path("set")) as folder, scratch_folder():
    (folder / "part").touch()
    os.kill(os.getpid(), 9)
"""


def test_litter_of_a_killed_process_goes_and_that_of_a_live_one_stays(place, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", place["TMPDIR"])
    scratch, figures = Path(place["TMPDIR"]), tmp_path / "figures" / "smoke"
    places = [tmp_path / "build" / "smoke", tmp_path / "build" / "embeddings" / "set.partial", figures]
    for folder in places:
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-c", CUT], cwd=folder, env=place, check=False)
        (folder / ".hidden.csv").touch(), (folder / ".a.csv.tmp").touch()  # of no process of ours
        assert len(list(folder.glob(".*.????????.tmp*"))) == 2 and len(list(scratch.iterdir())) == 1
    with atomic_path(figures / "b.csv") as live, atomic_folder(figures / "other") as folder, scratch_folder() as own:
        assert list(scratch.iterdir()) == [own], "the next one removes what is nobody's"
        remove_litter_of("smoke")
        with scratch_folder() as second:
            assert own.is_dir() and second != own
        assert live.exists() and folder.is_dir()
    assert all({path.name for path in folder.iterdir()} == {".a.csv.tmp", ".hidden.csv"} for folder in places[:2])
    assert {path.name for path in figures.iterdir()} == {".a.csv.tmp", ".hidden.csv", "b.csv", "other"}


def test_a_folder_takes_away_what_a_killed_process_left_of_it(place, tmp_path):
    subprocess.run([sys.executable, "-c", CUT], cwd=tmp_path, env=place, check=False)
    with atomic_folder(tmp_path / "set"):
        assert len(list(tmp_path.glob(".set.*.tmp"))) == 1
    assert (tmp_path / "set").is_dir() and not list(tmp_path.glob(".set.*"))


def test_an_audit_begins_where_a_killed_one_left_only_litter(place, tmp_path):
    from blindlib.inspection.report import check_folder

    (tmp_path / "report").mkdir()
    subprocess.run([sys.executable, "-c", CUT], cwd=tmp_path / "report", env=place, check=False)
    assert check_folder(tmp_path / "report").is_dir() and not list((tmp_path / "report").iterdir())


def test_a_new_temporary_file_that_was_taken_for_litter_is_made_again(tmp_path):
    names = iter([tmp_path / "taken", tmp_path / "kept"])

    def make() -> str:
        path = next(names)
        path.touch()
        return str(path)

    real = litter.fcntl.flock
    litter.fcntl.flock = lambda handle, how: (tmp_path / "taken").unlink(missing_ok=True)
    try:
        path, handle = litter._locked(make)
    finally:
        litter.fcntl.flock = real
    os.close(handle)
    assert path == tmp_path / "kept"


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o755, 0o644), (0o750, 0o640)])
def test_others_may_read_a_file_where_they_may_read_its_folder(tmp_path, folder, file):
    (tmp_path / "in").mkdir()
    (tmp_path / "in").chmod(folder)
    path = write_csv(tmp_path / "in" / "results.csv", pd.DataFrame({"a": [1]}))
    assert stat.S_IMODE(path.stat().st_mode) == file


def test_a_build_folder_of_ours_is_private_and_one_that_was_there_stays_as_it_is(tmp_path, monkeypatch):
    mode = lambda path: stat.S_IMODE(path.stat().st_mode)  # noqa: E731
    files.build_dir("demo")
    assert mode(tmp_path / "build") == mode(tmp_path / "build" / "demo") == 0o700
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    monkeypatch.setenv("BLINDLIB_BUILD", str(tmp_path / "shared"))
    assert mode(files.frames_dir("cremad")) == mode(tmp_path / "shared" / "frames") == 0o700
    assert mode(tmp_path / "shared") == 0o755


PORTS = """
import os, psutil, warnings
both = psutil.Process(), psutil.Process(os.getppid())
listening = [each for process in both for each in process.net_connections() if each.status == "LISTEN"]
warnings.warn("a warning says where it comes from")
print(listening)
assert not listening
"""


def test_a_kernel_opens_no_port_and_its_notebook_names_no_folder(place, tmp_path):
    notebook_of(tmp_path, PORTS)
    with started(place, sys.executable, "-c", NOTEBOOK) as process:
        assert process.wait(120) == 0, process.communicate()[0]
    done = tmp_path / "build" / "smoke" / "09_held.ipynb"
    text = done.read_text()
    assert "a warning says" in text and "[]" in text
    assert not re.search(r"/[\w.+-]+/[\w.+-]+", text), "a folder"
    assert not [path for path in (tmp_path / "build").rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert list(Path(place["TMPDIR"]).iterdir()) == []


def test_nbval_s_kernels_open_no_port(place, tmp_path):
    place["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'tests'}"
    command = ["-m", "pytest", "-q", "--nbval-lax", "-p", "kernels_by_ipc", "-p", "no:cacheprovider"]
    with started(place, sys.executable, *command, str(notebook_of(tmp_path, PORTS))) as process:
        assert process.wait(120) == 0, process.communicate()[0]

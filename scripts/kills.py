"""Kill a `smoke` run at random moments of every stage, finish it, and say where it differs from one that was not.

`python scripts/kills.py --kills 50 --seed 0`. Every kill is `kill -9` of make's process group; five seconds later none
of its processes may be left, and at the end no litter, and the same bytes of figures and tables.
"""

import argparse
import atexit
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil

from blindlib.common.errors import foreseen_in_one_line
from blindlib.common.files import ROOT
from blindlib.common.processes import one_line_when_interrupted

MARK = "BLINDLIB_KILLS"  # in the environment of every process of a run
STAGES = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))
SECONDS = 5  # that a process may outlive its parent


def environment(folder: Path) -> dict[str, str]:
    """This environment with products in a folder, temporary files of its own, and a mark."""
    scratch = tempfile.mkdtemp(prefix="kills-")  # short: the path of a socket has at most 107 characters
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    own = {"BLINDLIB_BUILD": str(folder / "build"), "BLINDLIB_FIGURES": str(folder / "figures"), "TMPDIR": scratch}
    return {**os.environ, **own, MARK: uuid.uuid4().hex}


def alive(own: dict[str, str]) -> list[str]:
    """The command lines of the processes that carry the mark of an environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == own[MARK]:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:150]}")
        except (psutil.Error, OSError):
            continue
    return found


def left_after(own: dict[str, str], seconds: float = SECONDS) -> list[str]:
    """What is alive after so many seconds, or nothing as soon as nothing is."""
    end = time.monotonic() + seconds
    while (found := alive(own)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def end(own: dict[str, str]) -> None:
    """Kill what carries the mark of an environment, and nothing else."""
    for line in alive(own):
        with suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)


def litter(own: dict[str, str]) -> list[str]:
    """Temporary files and folders that lie in an environment's products and temporary folder; not PyTorch's cache."""
    products = [Path(own[f"BLINDLIB_{name}"]).rglob("*") for name in ("BUILD", "FIGURES")]
    found = [str(path) for paths in products for path in paths if re.search(r"\.tmp(\.|$)|running", path.name)]
    return found + [str(path) for path in Path(own["TMPDIR"]).iterdir() if not path.name.startswith("torchinductor_")]


def products(folder: Path) -> dict[str, bytes]:
    """The bytes of a run's figures and tables, without its record of times."""
    files = [*(folder / "figures" / "smoke").iterdir(), *(folder / "build" / "smoke").glob("*.csv")]
    return {path.name: path.read_bytes() for path in files if path.name != "run.json"}


def start(own: dict[str, str], log: Path) -> subprocess.Popen:
    """`make paper PRESET=smoke` in a process group of its own."""
    command = ["make", "paper", "PRESET=smoke", f"PY={sys.executable}"]
    with log.open("w") as stream:
        return subprocess.Popen(command, cwd=ROOT, env=own, stdout=stream, stderr=stream, start_new_session=True)


def wait_for(own: dict[str, str], log: Path) -> int:
    """The exit code of a run that is left alone; if this process is interrupted, the run is ended."""
    try:
        return start(own, log).wait()
    finally:
        end(own)


def seconds_of_stages(own: dict[str, str], log: Path) -> dict[str, float]:
    """How long each stage of a run that is left alone lasts, from its line in the log to the next one's."""
    began, process = {}, start(own, log)
    try:
        while process.poll() is None:
            for stage in STAGES:
                if stage not in began and f"{stage} (smoke)" in log.read_text():
                    began[stage] = time.monotonic()
            time.sleep(0.02)
    finally:
        end(own)
    ends = [*list(began.values())[1:], time.monotonic()]
    return {stage: until - since for (stage, since), until in zip(began.items(), ends, strict=True)}


def kill_in(stage: str, seconds: float, own: dict[str, str], log: Path) -> list[str]:
    """Kill a run so many seconds after a stage, or one that follows it, began; what of it is still alive later."""
    process, begun = start(own, log), [f"{each} (smoke)" for each in STAGES if each >= stage]
    try:
        while process.poll() is None and not any(each in log.read_text() for each in begun):
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return left_after(own)
    finally:
        end(own)


def main() -> None:
    """Two runs, one of them killed again and again; exit code 1 where anything is left or differs."""
    with one_line_when_interrupted(), foreseen_in_one_line():
        compare()


def compare() -> None:
    """As `main`; by the words of the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=12)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=None, help="a new folder; by default a temporary one")
    given = options.parse_args()
    folder, draw, wrong = given.out or Path(tempfile.mkdtemp()), random.Random(given.seed), []
    if given.out is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    whole, killed = folder / "whole", folder / "killed"
    for each in (whole, killed):
        each.mkdir(parents=True)
    lasted = seconds_of_stages(environment(whole), whole / "log")
    print(f"not killed: seconds { ({stage: round(each, 1) for stage, each in lasted.items()}) }", flush=True)
    own = environment(killed)
    for number, stage in enumerate(sorted(STAGES[n % len(STAGES)] for n in range(given.kills)), 1):
        seconds = draw.uniform(0, lasted[stage])
        left = kill_in(stage, seconds, own, killed / "log")
        wrong += [f"kill {number}: {each}" for each in left]
        print(f"kill {number}, seed {given.seed}: {stage} after {seconds:.2f} s; left: {left or 'nothing'}", flush=True)
    code = wait_for(own, killed / "log")
    wrong += [f"exit code {code}"] if code else []
    wrong += [f"alive: {each}" for each in left_after(own)] + [f"litter: {each}" for each in litter(own)]
    one, two = products(whole), products(killed)
    wrong += [f"differs: {name}" for name in sorted({*one, *two}) if one.get(name) != two.get(name)]
    print("\n".join(wrong) or f"{len(one)} files with the same bytes, no process and no litter left")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

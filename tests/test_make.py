"""What is given to make is data: no value is expanded or run, and folders may bear any name. Python is a stand-in."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from blindlib.common.files import ROOT

# Instead of Python: it writes down its words and what it finds in its environment, and answers as `blindlib name` does.
STAND_IN = r"""#!/bin/bash
{ printf '<%s>' "$PWD" "$@"; printf ' PRESET=<%s> SETTINGS=<%s> LFW=<%s> DATA=<%s>\n' \
  "$PRESET" "$SETTINGS" "$BLINDLIB_LFW" "${BLINDLIB_DATA-unset}"
  printf 'BLINDLIB_BUILD=<%s> FIGURES=<%s>\n' "$BLINDLIB_BUILD" "$BLINDLIB_FIGURES"; } >> "$LOG"
case "$3 $4" in
  "name --build") echo "$HERE/build #1/the run";;
  "name --figures") mkdir -p "$HERE/fig ures"; echo "$HERE/fig ures";;
  "name "*) echo name;;
  "inputs "*)
    mkdir -p "$HERE/build #1/the run"
    for n in 01_data_prep 02_baseline 03_sensitivenets 04_lntl 05_probes 06_celeba_fairness; do
      [ -e "$HERE/build #1/the run/$n.inputs" ] || touch "$HERE/build #1/the run/$n.inputs"; done;;
  "run "*) [ -z "$SLOW" ] || { echo $$ > "$HERE/pid"; exec sleep 60; }
    touch "$HERE/build #1/the run/$(basename "$4")";;
  "record "*) touch "$HERE/fig ures/run.json";;
esac
"""
HOSTILE = (
    "$(shell touch {pwned})",
    "$(touch {pwned})",
    "`touch {pwned}`",
    "x; touch {pwned} #",
    "'; touch {pwned}; '",
    '"; touch {pwned}; "',
    "$$(shell touch {pwned})",
    "a\n\ttouch {pwned}",
)


@pytest.fixture
def make(tmp_path):
    """Runs make in a checkout whose path has a space and a `#`, and gives the lines that the stand-in wrote."""
    home = tmp_path / "my check#out"
    for name in ("Makefile", "requirements.lock", "scripts", "docs", "notebooks"):
        home.mkdir(exist_ok=True)
        (home / name).symlink_to(ROOT / name)
    python = tmp_path / "stand in"
    python.write_text(STAND_IN)
    python.chmod(0o755)

    def begin(*words: str, **variables: str) -> subprocess.CompletedProcess:
        log = tmp_path / "log"
        log.write_text("")
        own = {"PATH": os.environ["PATH"], "LOG": str(log), "HERE": str(tmp_path), "PY": str(python), **variables}
        return subprocess.run(["make", *words], cwd=home, env=own, capture_output=True, text=True)

    def run(*words: str, **variables: str) -> list[str]:
        done = begin(*words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / "log").read_text().splitlines()

    def refused(*words: str) -> str:
        done = begin(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    run.home, run.python, run.refused = home, python, refused
    return run


def test_sigterm_to_make_ends_the_run(make, tmp_path):
    own = {"PATH": os.environ["PATH"], "LOG": str(tmp_path / "log"), "HERE": str(tmp_path), "PY": str(make.python)}
    options = {"cwd": make.home, "env": own | {"SLOW": "1"}, "stderr": subprocess.DEVNULL, "start_new_session": True}
    running, pid = subprocess.Popen(["make", "paper"], **options), tmp_path / "pid"
    try:
        until(lambda: pid.is_file() and pid.read_text().strip(), 20)
        running.terminate()  # make alone, as a service manager or `kill` does, not its group
        running.wait(20)
        until(lambda: not psutil.pid_exists(int(pid.read_text())), 5)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


def until(true, seconds: float) -> None:
    """Wait for a condition; AssertionError if it has not come after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("given", ["command line", "environment"])
def test_no_value_is_run_and_each_arrives_as_it_was_given(make, tmp_path, text, given):
    pwned = tmp_path / "pwned"
    names = ("PRESET", "SETTINGS", "LFW", "DATA", "VENV", "P", "TESTS", "STRIP", "ANYTHING")
    values = {name: f"{name} {text.format(pwned=pwned)}" for name in names}
    words = [f"{name}={value}" for name, value in values.items()] if given == "command line" else []
    targets = ("settle", "paper", "check", "site", "notebooks", "expected", "help", "data", "unit")
    lines = make(*targets, *words, **({} if words else values))
    assert not pwned.exists(), lines
    text = "\n".join(lines)
    assert f"<settle><--preset><{values['PRESET']}><-p><{values['SETTINGS']}>" in text
    where = "LFW=<{LFW}> DATA=<{DATA}>" if words else "LFW=<> DATA=<unset>"  # other programs have a DATA too
    assert where.format(**values) in text


def test_the_graph_runs_in_folders_with_spaces_and_hashes_and_only_what_is_out_of_date(make, tmp_path):
    def ran(*words: str) -> list[str]:
        lines = make("paper", "PRESET=x; y", *words)[::2]
        assert all(line.startswith(f"<{make.home}>") and "PRESET=<x; y>" in line for line in lines)
        return [Path(line.split(">")[4][1:]).stem for line in lines if "><run><" in line or "><record><" in line]

    first = ran()
    assert first[:2] == ["01_data_prep", "02_baseline"] and set(first[2:4]) == {"03_sensitivenets", "04_lntl"}
    assert first[4:] == ["05_probes", "06_celeba_fairness", "--preset"], "run.json is written last"
    assert ran() == []
    inputs = tmp_path / "build #1" / "the run" / "05_probes.inputs"
    os.utime(inputs, (inputs.stat().st_mtime + 100,) * 2)
    assert ran("-n") == [], "-n runs no stage"
    assert ran() == ["05_probes", "06_celeba_fairness", "--preset"]


@pytest.mark.parametrize("named", ["/data/my faces", "/data/#1", "relative folder", "~/faces", "/a$b", ""])
def test_a_folder_of_data_is_passed_on_as_it_is_named(make, named):
    lines = make("data", f"DATA={named}", f"LFW={named}", f"BLINDLIB_BUILD={named}")
    assert f"LFW=<{named}> DATA=<{named}>" in lines[0] and lines[1] == f"BLINDLIB_BUILD=<{named}> FIGURES=<>"


def test_an_empty_preset_is_the_default_one(make):
    line, *_ = make("notebooks", "PRESET=", "SETTINGS=")
    assert "<store><--preset><demo> " in line


def test_the_environment_is_made_once_in_a_folder_of_any_name(make, tmp_path):
    """By a stand-in of Python that `PYTHON` names; again when the lock's content changes and not before."""
    home, maker = make.home, tmp_path / "maker of environments"
    maker.write_text(
        '#!/bin/bash\necho "$@" >> "$LOG"\n[ "$2" != venv ] || { mkdir -p "${@: -1}/bin"; '
        'touch "${@: -1}/pyvenv.cfg"; cp "$0" "${@: -1}/bin/python"; }\n'
    )
    maker.chmod(0o755)
    words = ("setup", "VENV=my env", f"PYTHON={maker}", "PY=")
    assert any(line == "-m venv --clear my env" for line in make(*words)) and (home / "my env" / ".installed").exists()
    assert make(*words) == []
    (home / "my env" / ".installed").write_text("of another lock")
    assert any(line == "-m venv --clear my env" for line in make(*words))


def test_a_run_ends_with_an_error_where_its_build_folder_is_not_found(make, tmp_path):
    make.python.write_text(STAND_IN.replace('echo "$HERE/build #1/the run"', 'echo "$HERE/nowhere"'))
    assert "nowhere: No such file or directory" in make.refused("paper")


def test_a_check_compares_the_folder_that_it_wrote_whatever_is_named(make):
    text = "\n".join(make("check", "BLINDLIB_BUILD=mine", "BLINDLIB_FIGURES=figures"))
    ran = text.index("<run><notebooks/01_data_prep.ipynb>")
    assert text[ran:].split("\n")[1] == "BLINDLIB_BUILD=<build/check> FIGURES=<build/check/figures>"
    assert "<compare><figures/name><build/check/figures/name>" in text[ran:]


def test_a_makefile_that_is_run_from_elsewhere_runs_nothing(make, tmp_path):
    for target in ("paper", "help", "clean"):
        (tmp_path / "elsewhere" / "build").mkdir(parents=True, exist_ok=True)
        said = make.refused("-C", str(tmp_path / "elsewhere"), "-f", str(make.home / "Makefile"), target)
        assert "make -C" in said and len(said.splitlines()) == 1 and (tmp_path / "log").read_text() == ""
        assert (tmp_path / "elsewhere" / "build").exists()

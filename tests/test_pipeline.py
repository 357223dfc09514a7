"""The pipeline on small notebooks: nothing runs twice, what changed runs with what follows, a kill costs one stage."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from conftest import left_after
from nbformat.v4 import new_code_cell, new_notebook

from blindlib import pipeline
from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.pipeline import Stage
from blindlib.presets import get_preset

SMOKE = get_preset("smoke")
WRITE = """from blindlib.common.files import build_dir, write_text
from blindlib.{module} import VALUE
write_text(build_dir("smoke") / "{name}.txt", f"{{VALUE}} {{PRESET}}")"""
KERNEL = {"name": "python3", "display_name": "p", "language": "python"}
# In place of Python in make's recipes: the real command line on the small graph.
SCRIPT = """#!{python}
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from test_pipeline import stages
from blindlib import cli, pipeline
from blindlib.__main__ import main
own, run = Path({folder!r}), pipeline.run
pipeline.run = lambda _, preset, data: run(stages(own), preset, "", root=own)
cli._end = lambda *_: None
sys.argv = ["blindlib", *sys.argv[3:]]
main()
"""


def write_notebook(path: Path, *code: str) -> None:
    cells = [new_code_cell('PRESET = "demo"', metadata={"tags": ["parameters"]}), *map(new_code_cell, code)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)


def stages(root: Path) -> list[Stage]:
    """One -> two and three, side by side -> four."""
    return [
        Stage(root / "one.ipynb", "One"),
        Stage(root / "two.ipynb", "Two", ("one",), shares=True),
        Stage(root / "three.ipynb", "Three", ("one",), shares=True),
        Stage(root / "four.ipynb", "Four", ("two", "three")),
    ]


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout with four notebooks and a package of two modules; the rest of the package is the real one."""
    package = tmp_path / "blindlib"
    package.mkdir()
    (package / "__init__.py").write_text(f"_FROM = {{}}\n__path__.append({str(ROOT / 'blindlib')!r})\n")
    (package / "first.py").write_text("VALUE = 1\n")
    (package / "second.py").write_text("from blindlib.first import VALUE\n")
    for name, module in {"one": "first", "two": "first", "three": "second", "four": "first"}.items():
        write_notebook(tmp_path / f"{name}.ipynb", WRITE.format(name=name, module=module))
    return tmp_path


def ran(root: Path, **options) -> list[str]:
    return pipeline.run(stages(root), options.pop("preset", SMOKE), root=root, **options)


def texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "build" / "smoke").glob("*.txt")}


def test_what_changed_runs_with_what_depends_on_it_and_nothing_else(root, capfd):
    """One test, for a run takes seconds."""
    assert ran(root) == ["one", "two", "three", "four"]
    assert texts(root) == {f"{name}.txt": "1 smoke" for name in ("one", "two", "three", "four")}
    lines = capfd.readouterr().out.splitlines()
    assert lines[:2] == ["4 stages", "1/4 One"] and re.fullmatch(r"4/4 Four: \d s", lines[-1])
    left = json.loads((root / "build" / "smoke" / "three.json").read_text())
    assert left["products"] == ["build/three.ipynb", "build/three.txt"] and left["seconds"] > 0
    executed = nbformat.read(root / "build" / "smoke" / "three.ipynb", as_version=4)
    assert not any("papermill" in part.metadata for part in (executed, *executed.cells))
    assert not [path for path in (root / "build").rglob("*") if path.stat().st_mode & 0o077], "others may not read it"
    assert ran(root) == [] and capfd.readouterr().out == ""
    for path in root.glob("*.ipynb"):  # prose, parameters and times decide nothing
        os.utime(path)
    write_notebook(root / "two.ipynb", WRITE.format(name="two", module="second"))
    assert ran(root) == ["two", "four"]
    (root / "blindlib" / "second.py").write_text("VALUE = 2\n")
    assert ran(root) == ["two", "three", "four"] and texts(root)["three.txt"] == "2 smoke"
    (root / "build" / "smoke" / "one.txt").unlink()
    assert ran(root) == ["one"], "the same key, so nothing follows"
    (root / "build" / "smoke" / "four.txt").write_text("")
    assert ran(root) == ["four"] and ran(root, only="two") == ["two"] and ran(root) == []
    before = (root / "four.ipynb").read_text()
    write_notebook(root / "four.ipynb", WRITE.format(name="four", module="second"), "1 / 0")
    with pytest.raises(InputError):
        ran(root)
    (root / "four.ipynb").write_text(before)
    assert ran(root) == ["four"], "what a failed run wrote is not taken for the earlier run's"


def test_settings_and_data_are_part_of_every_key(root):
    keys = [
        {name: each["key"] for name, each in pipeline.keys(stages(root), preset, data, root).items()}
        for preset, data in ((SMOKE, ""), (SMOKE, "other data"), (get_preset("smoke", "erasers=['INLP']"), ""))
    ]
    assert all(len({each[name] for each in keys}) == 3 for name in keys[0])


def test_a_failing_cell_is_named_and_what_does_not_need_it_runs(root):
    write_notebook(root / "two.ipynb", "print('before')", "raise ValueError('no rows → run one again')")
    write_notebook(root / "four.ipynb", "1 / 0")
    with pytest.raises(InputError) as error:
        ran(root)
    assert str(error.value) == "two.ipynb, cell 4: ValueError: no rows → run one again"
    folder = root / "build" / "smoke"
    assert "before" in (folder / "two.running.ipynb").read_text() and not (folder / "two.ipynb").exists()
    assert (folder / "three.json").exists() and not list(folder.glob("four*"))
    write_notebook(root / "two.ipynb", "pass")
    with pytest.raises(InputError, match=r"four.ipynb, cell 3: ZeroDivisionError: division by zero → read .*running"):
        ran(root)


@pytest.mark.parametrize(("text", "words"), [("{}", "does not read"), ('{"cells": []}', "no parameter")])
def test_what_is_no_notebook_of_ours_is_refused(root, text, words):
    (root / "two.ipynb").write_text(text)
    with pytest.raises(InputError, match=f"two.ipynb: .*{words}"):
        ran(root)


def test_a_kill_costs_the_stage_that_was_running_and_leaves_no_process(root):
    wait = "import time, pathlib\npathlib.Path({!r}).touch()\ntime.sleep(0 if pathlib.Path({!r}).exists() else 99)"
    waits, go = root / "waits", root / "go"
    four = WRITE.format(name="four", module="first")
    write_notebook(root / "four.ipynb", wait.format(str(waits), str(go)), four)
    script = root / "python"
    names = {"python": sys.executable, "tests": str(ROOT / "tests"), "root": str(ROOT), "folder": str(root)}
    script.write_text(SCRIPT.format(**names))
    script.chmod(0o755)
    command, own = ["make", "paper", "PRESET=smoke", f"PY={script}"], {**os.environ, "MARK": str(root)}
    make = subprocess.Popen(command, cwd=ROOT, env=own, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not waits.exists():
        assert time.monotonic() < until and make.poll() is None
        time.sleep(0.1)
    os.kill(make.pid, signal.SIGKILL)
    make.wait()
    assert left_after(str(root)) == [], "kernels end with make"
    go.touch()
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    assert re.findall(r"^\d/4 (\w+)$", done.stdout, re.M) == ["Four"]
    assert texts(root) == {f"{name}.txt": "1 smoke" for name in ("one", "two", "three", "four")}

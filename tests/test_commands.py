"""The command line: whatever is wrong is one line that says where, what and what to do; no traceback, nothing left."""

import json
import sys

import numpy as np
import pytest

from blindlib.cli import main


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own: its exit code, and what it said on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "data"))

    def run(*words: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["blindlib", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr().err.splitlines()
        return ended.value.code, [line for line in printed if line.strip() and "%|" not in line]

    return run


@pytest.fixture
def embeddings(tmp_path):
    x = np.random.default_rng(0).normal(size=(240, 6)).astype(np.float32)
    np.savez(tmp_path / "e.npz", x=x, identity=np.repeat(np.arange(80), 3), mood=np.tile(["a", "b"], 120))


REFUSED = {
    "absent": (("audit", "none.npz"), "none.npz"),
    "a label": (("audit", "e.npz", "--label", "joy"), "joy"),
    "a preset": (("paper", "--preset", "dmeo"), "there is no preset 'dmeo'"),
    "a setting": (("name", "--preset", "smoke", "-p", "rotations=-1"), "rotations"),
    "an archive": (("data", "unpack", "fairface", "none.zip"), "none.zip"),
    "a data set": (("data", "fetch", "faces"), "faces"),
    "a notebook": (("run", "none.ipynb"), "none.ipynb"),
    "a size": (("synth", "--out", "s", "--identities", 1, "--size", 7), "size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_one_line_and_nothing_is_left(command, embeddings, tmp_path, case):
    words, named = REFUSED[case]
    before = sorted(tmp_path.rglob("*"))
    code, lines = command(*words)
    assert code == 1 and len(lines) == 1 and lines[0].startswith("error: ") and named in lines[0], lines
    assert sorted(tmp_path.rglob("*")) == before


def notebook(*sources: str) -> dict:
    cells = ['PRESET = "demo"\nSETTINGS = ""', *sources]
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [empty | {"source": source, "id": f"c{n}"} for n, source in enumerate(cells)]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize("text", ["{", "[]", json.dumps(notebook()).replace("parameters", "other")])
def test_a_broken_notebook_is_one_line(command, tmp_path, text):
    (tmp_path / "broken.ipynb").write_text(text)
    code, lines = command("run", "broken.ipynb", "--preset", "smoke")
    assert code == 1 and len(lines) == 1 and "broken.ipynb: " in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"), [("raise ValueError('a\\nb')", "ValueError: a"), ("import os; os._exit(3)", "kernel ended")]
)
def test_a_notebook_that_fails_names_its_cell_or_its_kernel(command, tmp_path, source, words):
    (tmp_path / "fails.ipynb").write_text(json.dumps(notebook(source)))
    code, lines = command("run", "fails.ipynb", "--preset", "smoke")
    assert code == 1 and "fails.ipynb" in lines[-1] and words in lines[-1]


def test_what_nobody_foresaw_is_one_line_too_and_debug_shows_it(command, monkeypatch):
    def unforeseen(*_):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("blindlib.cli._preset", unforeseen)
    code, lines = command("name")
    assert code == 1 and "blindlib name: ZeroDivisionError: a b" in lines[0] and "--debug name" in lines[0]
    monkeypatch.setattr(sys, "argv", ["blindlib", "--debug", "name"])
    with pytest.raises(ZeroDivisionError):
        main()

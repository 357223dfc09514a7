"""The command line: whatever is wrong is one line that says where, what and what to do; no traceback, nothing left."""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blindlib.cli import main
from blindlib.common.errors import InputError
from blindlib.pipeline import Stage, run
from blindlib.presets import get_preset

LATIN = os.fsdecode(b"caf\xe9")  # a name that is no UTF-8
NINES = 5000 * "9"  # more digits than Python turns into a number


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own: its exit code, and what it said on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "data"))

    def run(*words: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["blindlib", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        lines = [line for line in capsys.readouterr().err.splitlines() if "%|" not in line]
        return ended.value.code, lines

    return run


@pytest.fixture
def embeddings(tmp_path):
    who, mood = np.repeat(np.arange(80), 3), np.tile(["a", "b"], 120)
    x = np.random.default_rng(0).normal(size=(240, 6)).astype(np.float32)
    np.savez(tmp_path / "e.npz", x=x, identity=who, mood=mood)
    np.save(tmp_path / "e.npy", x)
    for name in ("loop", "loop.npz", "loop.csv", "loop.ipynb"):
        (tmp_path / name).symlink_to(name)
    return pd.DataFrame({"identity": who, "mood": mood}).to_csv(index=False)


def refused(told: tuple[int, list[str]], *words: str) -> None:
    code, lines = told
    lines = [line for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    assert code == 1 and len(errors) == 1 and len(lines) <= 2 and "Traceback" not in "\n".join(lines), lines
    assert "→" in errors[0] and all(word in errors[0] for word in words), errors


NAMES = {
    "absent": (("audit", f"{LATIN}.npz"), ("caf\\udce9.npz: does not read",)),
    "a link to itself as folder": (("audit", "e.npz", "--attacker", "linear", "--out", "loop"), ("loop",)),
    "a line end in a setting": (("name", "--preset", "smoke", "-p", "a\nb=3"), ("a\\nb",)),
    "a preset": (("paper", "--preset", LATIN), ("there is no preset 'caf\\udce9'",)),
    "an archive": (("data", "unpack", "fairface", LATIN), ("no such archive",)),
    "an archive, a link to itself": (("data", "unpack", "fairface", "loop"), ("loop",)),
    "a data set": (("data", "fetch", "²"), ("there is no '²'",)),
    "a new folder": (("synth", "--out", f"{LATIN}-s", "--identities", 1, "--images", 1, "--size", 8), ()),
    "figures": (("compare", "loop", "loop"), ("loop",)),
    "a notebook": (("run", f"{LATIN}.ipynb"), ("caf\\udce9.ipynb",)),
    "a notebook, a link to itself": (("run", "loop.ipynb"), ("loop.ipynb", "leads to itself")),
    "a folder for a notebook": (("run", "."), ()),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_is_none_is_one_line_and_nothing_is_left(command, embeddings, tmp_path, case):
    words, wanted = NAMES[case]
    before = sorted(tmp_path.rglob("*"))
    refused(command(*words), *wanted)
    assert sorted(tmp_path.rglob("*")) == before


NUMBERS = {
    "people": (("synth", "--out", "s", "--identities"), ("-1", "0", 12 * "9", NINES, "²", "nan")),
    "pictures": (("synth", "--out", "s", "--identities", 1, "--images"), ("-1", "0", 12 * "9", NINES, "²")),
    "a side": (("synth", "--out", "s", "--identities", 1, "--images", 1, "--size"), ("-8", "0", "7", NINES, "²")),
    "a world": (("synth", "--out", "s", "--identities", 1, "--images", 1, "--seed"), ("-1", 30 * "9", NINES, "²")),
    "miniatures": (("miniatures", "--out", "m", "--people"), ("-1", "0", "1", 12 * "9", NINES, "²")),
    "miniatures of a seed": (("miniatures", "--out", "m", "--people", 2, "--seed"), ("-1", NINES, "²")),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_number_that_is_none_or_too_large_is_refused_and_nothing_is_left(command, embeddings, tmp_path, case):
    words, values = NUMBERS[case]
    before = sorted(tmp_path.rglob("*"))
    for value in values:
        code, lines = command(*words, value)
        assert code in (1, 2) and "Traceback" not in "\n".join(lines), (value[:9], lines)
        if code == 1:  # else it is no number, and typer says so in a box
            refused((code, lines))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "change",
    [f"rotations={value}" for value in ("²", NINES, "1e400", "nan", "inf", "-1", 3000 * "(", 3000 * "-", "", "1_0_")]
    + [f"id_budget={value}" for value in ("nan", "inf", "-inf", "-1", "²", "1e400")]
    + [f"seeds={value}" for value in ("[-1]", "[²]", 10**5 * "[", "{}", "None", "[0, 0]", "['0']", "b'0'")]
    + ["sensitivenets.rate=nan", "lntl.strengths=[0, nan]", "shares=(nan, nan, nan)", "x=1", "=", "rotations", LATIN],
    ids=lambda change: ascii(change)[:30],
)
def test_a_setting_that_is_none_is_one_line(command, change):
    refused(command("name", "--preset", "smoke", "-p", change))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace("a", "\xe9").encode("latin-1"), "t.csv"),
        (lambda text: text.encode("utf-16"), "t.csv"),
        (lambda text: b"", "t.csv"),
        (lambda text: f"{text}1,2,3\n".encode(), "t.csv"),
        (lambda text: f'{text}"1'.encode(), "t.csv"),
        (lambda text: os.urandom(500), "t.csv"),
    ],
    ids=["Latin-1", "UTF-16", "empty", "a longer line", "a quote", "random bytes"],
)
def test_a_table_that_does_not_read_is_one_line(command, embeddings, tmp_path, spoil, words):
    (tmp_path / "figures").mkdir()
    for name in ("table1.csv", "table2.csv", "claims.csv"):
        (tmp_path / "figures" / name).write_bytes(spoil(embeddings))
    refused(command("compare", "figures", "figures"), "table1.csv: does not read as a table")


def notebook(*sources: str, **more) -> dict:
    cells = ['PRESET = "demo"\nSETTINGS = ""', *sources]
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [empty | {"source": source, "id": f"c{n}"} for n, source in enumerate(cells)]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5} | more


BOOKS = {
    "no JSON": b"{",
    "Latin-1": b'{"cells": ["\xe9"]}',
    "NUL": 9 * b"\0",
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "no cells": b"{}",
    "a number of cells": json.dumps(notebook(cells=5)).encode(),
    "deep": b'{"cells": ' + 10**5 * b"[",
    "a cell without anything": json.dumps(notebook(cells=[{"cell_type": "code"}])).encode(),
    "no parameters": json.dumps(notebook()).replace("parameters", "other").encode(),
}


@pytest.mark.parametrize("case", BOOKS)
def test_a_broken_notebook_is_one_line_and_nothing_is_left(command, tmp_path, case):
    (tmp_path / "broken.ipynb").write_bytes(BOOKS[case])
    refused(command("run", "broken.ipynb", "--preset", "smoke"), "broken.ipynb: ")
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "broken.ipynb"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def (:", "SyntaxError"),
        ("raise ValueError('a\\nb')", "ValueError: a"),
        ("import os; os._exit(3)", "kernel ended"),
    ],
)
def test_a_notebook_that_fails_names_its_cell_or_its_kernel(command, tmp_path, source, words):
    (tmp_path / "fails.ipynb").write_text(json.dumps(notebook(source)))
    refused(command("run", "fails.ipynb", "--preset", "smoke"), "fails.ipynb", words)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("folder", ["t" * 120, "absent", LATIN])
def test_a_long_absent_or_strange_folder_for_temporary_files_is_no_obstacle(tmp_path, monkeypatch, folder):
    """A socket's path has at most 107 bytes: the kernel's would not be made in a long folder, and waited for."""
    temporary = tmp_path / folder
    if folder != "absent":
        temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "fine.ipynb").write_text(json.dumps(notebook("print(1)")))
    assert run([Stage(tmp_path / "fine.ipynb", "fine")], get_preset("smoke")) == ["fine"]
    assert folder == "absent" or not list(temporary.glob("blindlib*"))


def test_what_nobody_foresaw_is_one_line_too_and_debug_shows_it(command, monkeypatch):
    def unforeseen(*_):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("blindlib.cli._preset", unforeseen)
    refused(command("name"), "blindlib name: ZeroDivisionError: a b", "--debug name")
    monkeypatch.setattr(sys, "argv", ["blindlib", "--debug", "name"])
    with pytest.raises(ZeroDivisionError):
        main()
    monkeypatch.setattr("blindlib.cli._preset", lambda *_: np.empty(10**15))
    refused(command("name"), "memory")


def test_an_error_s_line_has_no_second_line_and_no_byte_that_does_not_print():
    line = str(InputError(Path(f"a\n{LATIN}\0"), "is\r\u2028 wrong", "mend it"))
    assert line.isprintable() and len(line.splitlines()) == 1 and "caf\\udce9" in line
    line.encode("utf-8")


def test_a_folder_s_name_is_printed_byte_by_byte(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "argv", ["blindlib", "name", "--build", "--preset", "smoke"])
    monkeypatch.setenv("BLINDLIB_BUILD", str(tmp_path / LATIN))
    with pytest.raises(SystemExit):
        main()
    assert capfdbinary.readouterr().out == os.fsencode(tmp_path) + b"/caf\xe9/smoke\n"

"""A full disk and folders that cannot be written: one line with the file, what was refused, and what to do."""

import errno
import os
import resource
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import many_faces
from matplotlib.figure import Figure

from blindlib import __main__, cli
from blindlib.backbones import store
from blindlib.backbones.registry import get_backbone
from blindlib.blinders import LEACE
from blindlib.common.errors import InputError, explain, foreseen_in_one_line
from blindlib.common.files import ROOT, atomic_folder, atomic_path, need_space, write_csv
from blindlib.data.splits import save_splits
from blindlib.report.plots import save_figure
from blindlib.synthfaces.export import export

LIMIT = 2_000  # bytes of a file: the system refuses in the midst of writing, as on a full disk
NOISE = np.random.default_rng(0).normal(size=(120, 60))
TABLE = pd.DataFrame({"value": NOISE.ravel()})


def filled(tmp_path) -> None:
    """Embed with every shard below the limit and the set above it."""
    store.embed(many_faces(tmp_path, 40), get_backbone("pixels16"))


def drawn(folder) -> None:
    figure = Figure()
    figure.add_subplot().plot(NOISE[:, 0])
    save_figure(figure, TABLE, folder, "roc")


WRITERS = {
    "results.csv": lambda folder: write_csv(folder / "results.csv", TABLE),
    "splits.parquet": lambda folder: save_splits(TABLE.astype(str), folder / "splits.parquet"),
    "bank.safetensors": lambda folder: LEACE().fit(NOISE, np.arange(120) % 2).save(folder / "bank"),
    "00000000.npy": filled,
    "roc.png": drawn,
    "faces": lambda folder: export(folder / "faces", identities=1, images=1),
}


@pytest.fixture
def small_disk():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size=LIMIT: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_refuses_is_told_with_the_file_and_nothing_half_stays(tmp_path, small_disk, monkeypatch, name):
    small_disk()
    with pytest.raises(OSError) as error:
        WRITERS[name](tmp_path)
    small_disk(resource.RLIM_INFINITY)
    message = str(explain(error.value))
    assert name in message and "File too large → this file system takes no file of that size" in message
    assert "None" not in message and "\n" not in message and error.value.errno == errno.EFBIG
    assert not list(tmp_path.rglob("*.tmp*"))


def test_a_set_larger_than_the_disk_takes_ends_in_a_line_and_goes_on_later(tmp_path, small_disk, monkeypatch):
    """Its shards fit, the set does not; a mapping would have ended the process without a word."""
    monkeypatch.setattr(store, "SHARD", 8)
    faces, pixels = many_faces(tmp_path, 40), get_backbone("pixels16")
    small_disk(20_000)
    with pytest.raises(OSError) as error:
        store.embed(faces, pixels)
    assert "x.npy: File too large → " in str(explain(error.value))
    small_disk(resource.RLIM_INFINITY)
    monkeypatch.setattr(store, "align_files", lambda *_: pytest.fail("a shard was lost"))
    assert len(store.embed(faces, pixels).x) == 40


def test_what_names_no_reason_is_told_in_its_own_words(tmp_path):
    with pytest.raises(OSError) as error, atomic_path(tmp_path / "x.npy"):
        raise OSError("2000 requested and 300 written")  # as NumPy does
    assert str(explain(error.value)).startswith(f"{tmp_path / 'x.npy'}: 2000 requested and 300 written → see that the")
    with pytest.raises(OSError) as error, atomic_folder(tmp_path / "set"):
        raise OSError("encoder error -2")  # as Pillow does
    assert str(explain(error.value)).startswith(f"{tmp_path / 'set'}: encoder error -2 → see that the")
    assert str(explain(OSError())) == "file system: OSError → " + str(explain(OSError())).rpartition(" → ")[2]


def test_of_a_full_disk_the_line_says_what_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=12_300_000))
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "gone" / "x.npy"))
    assert "x.npy: No space left on device (12 MB are free) → free some space" in str(explain(error))
    need_space(tmp_path, 12_300_000, "it")
    with pytest.raises(InputError, match=r"it needs 12\.3 GB, the disk has 12 MB → free some space"):
        need_space(tmp_path, 12_300_000_000, "it")


COMMANDS = {
    "run": ["run", str(ROOT / "notebooks" / "01_data_prep.ipynb")],
    "paper": ["paper", "--preset", "smoke"],
    "embed": ["embed", "--preset", "smoke"],
    "store": ["store", "--preset", "smoke"],
    "synth": ["synth", "--identities", "1", "--out", "{0}/build/faces"],
    "miniatures": ["miniatures", "--people", "2", "--out", "{0}/build/data"],
    "fetch": ["data", "fetch", "sface"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_in_one_line_that_a_file_lies_in_its_way(tmp_path, monkeypatch, capsys, command):
    (tmp_path / "build").write_text("a file, where a folder is wanted")
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path / "build"))
    monkeypatch.setattr(sys, "argv", ["blindlib", *(word.format(tmp_path) for word in COMMANDS[command])])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err.splitlines()
    lines = [line for line in told if line.startswith("error: ")]
    assert ended.value.code == 1 and len(lines) == 1 and "→" in lines[0] and "Traceback" not in "".join(told)
    if command != "store":
        assert f"{tmp_path / 'build'}" in lines[0] and "a file lies where a folder is needed" in lines[0]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), InputError("f", "is bad", "mend it")])
def test_scripts_tell_what_was_foreseen_in_one_line_and_a_traceback_with_debug(capsys, monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    with pytest.raises(SystemExit) as ended, foreseen_in_one_line():
        raise error
    assert ended.value.code == 1 and capsys.readouterr().err == f"error: {explain(error)}\n"
    with pytest.raises(ZeroDivisionError), foreseen_in_one_line():
        raise ZeroDivisionError
    monkeypatch.setattr(sys, "argv", ["script.py", "--debug"])
    with pytest.raises(type(error)), foreseen_in_one_line():
        raise error


def test_without_the_command_line_s_packages_the_command_says_in_one_line_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "blindlib.cli")
    with pytest.raises(SystemExit, match="needs typer → pip install"):
        __main__.main()


@pytest.fixture
def nobody(tmp_path):
    """Be a user without rights where one is root, who may write anywhere."""
    was = os.geteuid()
    for parent in [tmp_path, *tmp_path.parents][:4] if was == 0 else []:
        parent.chmod(0o755)
    yield lambda: os.seteuid(65534) if was == 0 else None
    os.seteuid(was)


WRITES = {
    "x.csv": lambda folder: write_csv(folder / "x.csv", TABLE),
    "bank.safetensors": lambda folder: LEACE().fit(NOISE, np.arange(120) % 2).save(folder / "bank"),
    "faces": lambda folder: atomic_folder(folder / "faces").__enter__(),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_folder_that_cannot_be_written_is_told_with_the_file_and_not_a_temporary_name(tmp_path, nobody, name):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    nobody()
    with pytest.raises(OSError) as error:
        WRITES[name](folder)
    assert str(explain(error.value)).startswith(f"{folder / name}: Permission denied → give yourself the right")

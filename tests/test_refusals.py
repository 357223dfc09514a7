"""A disk that refuses leaves nothing half-written, and a command tells what was foreseen in one line."""

import errno
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
from blindlib.common.errors import InputError, foreseen_in_one_line
from blindlib.common.files import need_space, write_csv
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
def test_a_disk_that_refuses_leaves_nothing_half(tmp_path, small_disk, name):
    small_disk()
    with pytest.raises(OSError):
        WRITERS[name](tmp_path)
    small_disk(resource.RLIM_INFINITY)
    assert not list(tmp_path.rglob("*.tmp*"))


def test_room_is_asked_for_before_hours_of_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=12_300_000))
    need_space(tmp_path, 12_300_000, "it")
    with pytest.raises(InputError, match=r"it needs 12\.3 GB, the disk has 12 MB → free some space"):
        need_space(tmp_path, 12_300_000_000, "it")


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "build").write_text("a file, where a folder is wanted")
    monkeypatch.setattr(sys, "argv", ["blindlib", "paper", "--preset", "smoke"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and len(printed) == 1 and printed[0].startswith("error: ") and "build" in printed[0]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), InputError("f", "is bad", "mend it")])
def test_scripts_tell_what_was_foreseen_in_one_line_and_a_traceback_with_debug(capsys, monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["script.py"])
    with pytest.raises(SystemExit) as ended, foreseen_in_one_line():
        raise error
    assert ended.value.code == 1 and capsys.readouterr().err == f"error: {error}\n"
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
